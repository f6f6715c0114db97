"""Replay: projections that rebuild margin state from a ledger's events, and what is concluded from them."""
