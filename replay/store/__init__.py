"""What replay reads from and keeps in a ledger's database: folds over stored events, and read models."""
