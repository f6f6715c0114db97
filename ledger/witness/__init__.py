"""A witness (C2SP tlog-witness): cosigns a log's checkpoint if it only grew from the last one it cosigned.

It needs a folder and keys of its own and no database. :mod:`ledger.witness.client` is the log's side.
"""
