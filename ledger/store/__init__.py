"""Postgres: the tables, appending, reading, and the server that may be embedded."""
