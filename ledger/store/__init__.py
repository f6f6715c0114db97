"""The ledger in Postgres: tables and their guards, appending, reading."""
