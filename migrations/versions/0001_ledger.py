"""Event tables and their guards."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from ledger.store.migrate import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDS = Path(__file__).parent.parent / "sql" / "0001_guards.sql"


def upgrade() -> None:
    op.create_table(
        "ledger_head",
        sa.Column("singleton", sa.Boolean, server_default=sa.text("true"), nullable=False),
        sa.Column("origin", sa.Text(collation="C"), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("appended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_ahead_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("singleton", name="ledger_head_pkey"),
        sa.CheckConstraint("singleton", name="ledger_head_one_row_check"),
    )
    op.create_table(
        "events",
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("type", sa.Text(collation="C"), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("appended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("writer", sa.Text(collation="C"), nullable=False),
        sa.Column("canonical", sa.LargeBinary, nullable=False),
        sa.Column(
            "hash",
            sa.LargeBinary,
            sa.Computed(r"sha256('\x00'::bytea || canonical)", persisted=True),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("sequence", name="events_pkey"),
        sa.UniqueConstraint("id", name="events_id_key"),
    )
    op.create_index("events_type_sequence_index", "events", ["type", "sequence"])
    op.create_index("events_occurred_at_index", "events", ["occurred_at"], postgresql_using="brin")
    op.create_table(
        "event_subjects",
        sa.Column("subject", sa.Text(collation="C"), nullable=False),
        sa.Column("sequence", sa.BigInteger, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("subject", "sequence", name="event_subjects_pkey"),
    )
    run_script(op.get_context(), GUARDS.read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("recorded events are never taken apart")
