"""The tables of the read models, twice over: the set that is read and its shadow.

The two sets stand in two Postgres schemas of the same tables; a rebuild fills the shadow and then
swaps the schemas' names, so that tables, indexes and constraints change places together. Views
and grants follow the tables and not the names: query by name, and grant on both schemas.

Books (``accounts``, ``balances``, ``flows``, ``positions``) hold after the event at
``processed_sequence``. Figures that depend on prices (``account_margins``, ``position_margins``) hold
after the event at ``priced_sequence``, which is the same once a catch-up is through.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)

from replay.margin.results import ACCOUNT_FIGURES, POSITION_FIGURES

LIVE = "read_models"
SHADOW = "read_models_shadow"

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def _key(name: str) -> Column[str]:
    return Column(name, Text(collation="C"), primary_key=True)


def _word(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text(collation="C"), nullable=nullable)


def _amount(name: str, *, nullable: bool = False) -> Column[object]:
    # Without precision and scale: as exact as what was computed.
    return Column(name, Numeric, nullable=nullable)


def _figures(*names: str) -> list[Column[object]]:
    return [_amount(name, nullable=True) for name in names]


def _progress(schema: str) -> Table:
    """How far the read models have come; one row, or none before they were first made."""
    return Table(
        "progress",
        metadata,
        Column("singleton", Boolean, primary_key=True, server_default=text("true")),
        _word("projection"),
        Column("projection_version", BigInteger, nullable=False),
        Column("processed_sequence", BigInteger, nullable=False),
        Column("processed_hash", LargeBinary, nullable=False),
        Column("priced_sequence", BigInteger, nullable=False),
        Column("state_time", DateTime(timezone=True), nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        CheckConstraint("singleton", name="one_row"),
        schema=schema,
    )


def _state_parts(schema: str) -> Table:
    """The venue's state but for its accounts, as canonical JSON, one row a field of the state."""
    return Table(
        "state_parts", metadata, _key("part"), Column("canonical", LargeBinary, nullable=False), schema=schema
    )


def _accounts(schema: str) -> Table:
    """One row an account; ``canonical`` is its whole record, from which the fold goes on."""
    return Table(
        "accounts",
        metadata,
        _key("account"),
        _word("kind"),
        _word("margin_mode"),
        _word("position_mode"),
        Column("opened", Boolean, nullable=False),
        Column("closed", Boolean, nullable=False),
        Column("event_count", BigInteger, nullable=False),
        Column("last_sequence", BigInteger, nullable=False),
        _word("anomaly", nullable=True),
        Column("canonical", LargeBinary, nullable=False),
        schema=schema,
    )


def _balances(schema: str) -> Table:
    """What an account holds of an asset: in all, and in the cross wallet."""
    return Table(
        "balances",
        metadata,
        _key("account"),
        _key("asset"),
        _amount("wallet_balance"),
        _amount("cross_wallet_balance"),
        schema=schema,
    )


def _flows(schema: str) -> Table:
    """What each kind of event brought an account (positive) or took, since the beginning."""
    return Table(
        "flows", metadata, _key("account"), _key("flow"), _key("asset"), _amount("amount"), schema=schema
    )


def _positions(schema: str) -> Table:
    """Open positions: contracts and cost basis, without prices."""
    return Table(
        "positions",
        metadata,
        _key("account"),
        _key("instrument"),
        _key("position_side"),
        _word("margin_mode"),
        _amount("quantity"),
        _amount("cost"),
        _word("settlement_asset"),
        _amount("isolated_margin", nullable=True),
        Index(None, "instrument"),
        schema=schema,
    )


def _account_margins(schema: str) -> Table:
    """Figures of an account at the prices of ``priced_sequence``, in the valuation currency."""
    return Table(
        "account_margins",
        metadata,
        _key("account"),
        _word("state"),
        *_figures(*ACCOUNT_FIGURES),
        Column("notes", Text, nullable=False),
        Index(None, "state"),
        schema=schema,
    )


def _position_margins(schema: str) -> Table:
    """Figures of a position at the prices of ``priced_sequence``."""
    return Table(
        "position_margins",
        metadata,
        _key("account"),
        _key("instrument"),
        _key("position_side"),
        _word("margin_mode"),
        _word("state"),
        _amount("quantity"),
        _word("settlement_asset"),
        *_figures(*POSITION_FIGURES),
        Column("schedule_sequence", BigInteger),
        Column("mark_sequence", BigInteger),
        Index(None, "instrument"),
        schema=schema,
    )


_TABLES = (
    _progress,
    _state_parts,
    _accounts,
    _balances,
    _flows,
    _positions,
    _account_margins,
    _position_margins,
)

SETS: dict[str, dict[str, Table]] = {
    schema: {table.name: table for table in (make(schema) for make in _TABLES)} for schema in (LIVE, SHADOW)
}
"""Schema → table name → table."""

BOOKS = ("accounts", "balances", "flows", "positions")
MARGINS = ("account_margins", "position_margins")
