"""An append-only, hash-chained event ledger in Postgres for derivatives venues.

Start with :class:`ledger.store.ledger.Ledger` to record and read, :func:`ledger.verify.verify_ledger`
to check, and :class:`ledger.events.envelope.Draft` for what goes in.
"""
