"""Roles of the ledger: who owns, appends, governs, reads and audits."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from ledger.store.migrate import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCRIPTS = Path(__file__).parent.parent / "sql"
# Event triggers take a superuser. Where the migrating role is none, ledger doctor says what is missing.
IF_ALLOWED = """
DO $outer$
BEGIN
    EXECUTE $script${script}$script$;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'DDL on the ledger is not refused: that takes an event trigger, which a superuser makes';
END
$outer$;
"""


def upgrade() -> None:
    op.create_table(
        "ledger_roles",
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("role", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("kind", name="ledger_roles_pkey"),
        sa.CheckConstraint(
            "kind IN ('owner', 'writer', 'governance', 'reader', 'auditor')", name="ledger_roles_kind_check"
        ),
    )
    run_script(op.get_context(), (SCRIPTS / "0003_roles.sql").read_text(encoding="utf-8"))
    refuse_ddl = (SCRIPTS / "0003_refuse_ddl.sql").read_text(encoding="utf-8")
    run_script(op.get_context(), IF_ALLOWED.format(script=refuse_ddl))


def downgrade() -> None:
    raise NotImplementedError("who may do what is not taken back")
