"""A Postgres server from a wheel, for a ledger whose owner runs no server (docs/adr/0004)."""

from ledger.store.embedded.server import EmbeddedServer, EmbeddedServerStatus

__all__ = ["EmbeddedServer", "EmbeddedServerStatus"]
