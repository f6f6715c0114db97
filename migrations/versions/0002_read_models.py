"""Read models of replay: the set that is read, and the shadow that a rebuild fills."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMAS = ("read_models", "read_models_shadow")
ACCOUNT_FIGURES = (
    "notional",
    "unrealised_pnl",
    "equity",
    "collateral_value",
    "initial_margin",
    "maintenance_margin",
    "margin_ratio",
    "equity_ratio",
    "margin_utilisation",
    "leverage",
    "buffer",
    "cost_of_maintenance",
    "total_equity",
)
POSITION_FIGURES = (
    "entry_price",
    "mark_price",
    "notional",
    "unrealised_pnl",
    "initial_margin",
    "maintenance_margin",
    "isolated_margin",
    "equity",
    "margin_ratio",
    "leverage",
    "liquidation_price",
    "liquidation_price_below",
    "liquidation_price_above",
    "bankruptcy_price",
    "margin_call_price",
)


def word(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(collation="C"), nullable=nullable)


def whole(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def amount(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Numeric, nullable=nullable)


def figures(names: tuple[str, ...]) -> list[sa.Column[Any]]:
    return [amount(name, nullable=True) for name in names]


def create_set(schema: str) -> None:
    def table(name: str, *parts: sa.Column[Any] | sa.Constraint, key: tuple[str, ...]) -> None:
        op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=f"{name}_pkey"), schema=schema)

    table(
        "progress",
        sa.Column("singleton", sa.Boolean, server_default=sa.text("true"), nullable=False),
        word("projection"),
        whole("projection_version"),
        whole("processed_sequence"),
        sa.Column("processed_hash", sa.LargeBinary, nullable=False),
        whole("priced_sequence"),
        sa.Column("state_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("singleton", name="progress_one_row_check"),
        key=("singleton",),
    )
    table(
        "state_parts",
        word("part"),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
        key=("part",),
    )
    table(
        "accounts",
        word("account"),
        word("kind"),
        word("margin_mode"),
        word("position_mode"),
        sa.Column("opened", sa.Boolean, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        whole("event_count"),
        whole("last_sequence"),
        word("anomaly", nullable=True),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
        key=("account",),
    )
    table(
        "balances",
        word("account"),
        word("asset"),
        amount("wallet_balance"),
        amount("cross_wallet_balance"),
        key=("account", "asset"),
    )
    table(
        "flows",
        word("account"),
        word("flow"),
        word("asset"),
        amount("amount"),
        key=("account", "flow", "asset"),
    )
    table(
        "positions",
        word("account"),
        word("instrument"),
        word("position_side"),
        word("margin_mode"),
        amount("quantity"),
        amount("cost"),
        word("settlement_asset"),
        amount("isolated_margin", nullable=True),
        key=("account", "instrument", "position_side"),
    )
    table(
        "account_margins",
        word("account"),
        word("state"),
        *figures(ACCOUNT_FIGURES),
        sa.Column("notes", sa.Text, nullable=False),
        key=("account",),
    )
    table(
        "position_margins",
        word("account"),
        word("instrument"),
        word("position_side"),
        word("margin_mode"),
        word("state"),
        amount("quantity"),
        word("settlement_asset"),
        *figures(POSITION_FIGURES),
        whole("schedule_sequence", nullable=True),
        whole("mark_sequence", nullable=True),
        key=("account", "instrument", "position_side"),
    )
    for name, column in (
        ("positions", "instrument"),
        ("account_margins", "state"),
        ("position_margins", "instrument"),
    ):
        op.create_index(f"{name}_{column}_index", name, [column], schema=schema)


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(sa.schema.CreateSchema(schema))
        create_set(schema)


def downgrade() -> None:
    for schema in SCHEMAS:
        op.execute(sa.schema.DropSchema(schema, cascade=True))
