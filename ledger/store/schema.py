"""The tables as SQLAlchemy metadata; ``alembic upgrade head`` makes exactly these.

Guards (functions and triggers) are SQL under ``migrations/sql``; docs/explanation/database-guards.md.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

# COLLATE "C" wherever order or equality matters: the same on every operating system.
_C = "C"

events = Table(
    "events",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False, unique=True),
    Column("type", Text(collation=_C), nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("appended_at", DateTime(timezone=True), nullable=False),
    Column("writer", Text(collation=_C), nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    Column(
        "hash", LargeBinary, Computed(r"sha256('\x00'::bytea || canonical)", persisted=True), nullable=False
    ),
    Index(None, "type", "sequence"),
    Index(None, "occurred_at", postgresql_using="brin"),
)
"""One row an event. ``canonical`` is the truth; every other column is derived from it and checked."""

event_subjects = Table(
    "event_subjects",
    metadata,
    Column("subject", Text(collation=_C), primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
)
"""Which events touch a subject; written by the guard trigger alone."""

tree_nodes = Table(
    "tree_nodes",
    metadata,
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)
"""Roots over 256^level consecutive events, level ≥ 1; written by the guard trigger alone (ledger.tiles)."""

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("origin", Text(collation=_C), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("appended_at", DateTime(timezone=True), nullable=False),
    Column("accepted_ahead_until", DateTime(timezone=True)),
    CheckConstraint("singleton", name="one_row"),
)
"""The newest event; its row lock orders all appends. ``sequence`` is −1 until LedgerOpened is recorded."""

ledger_roles = Table(
    "ledger_roles",
    metadata,
    Column("kind", Text(collation=_C), primary_key=True),
    Column("role", Text(collation=_C), nullable=False),
    CheckConstraint("kind IN ('owner', 'writer', 'governance', 'reader', 'auditor')", name="kind"),
)
"""Which of the server's roles are this ledger's (ledger.store.roles)."""
