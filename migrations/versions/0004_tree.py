"""Nodes of the Merkle tree, kept by a trigger as events come in."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

from ledger.store.migrate import as_owner, run_script

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TREE = Path(__file__).parent.parent / "sql" / "0004_tree.sql"


def upgrade() -> None:
    with as_owner(op.get_context()):
        op.create_table(
            "tree_nodes",
            sa.Column("level", sa.SmallInteger, nullable=False),
            sa.Column("index", sa.BigInteger, autoincrement=False, nullable=False),
            sa.Column("hash", sa.LargeBinary, nullable=False),
            sa.PrimaryKeyConstraint("level", "index", name="tree_nodes_pkey"),
        )
        run_script(op.get_context(), TREE.read_text(encoding="utf-8"))


def downgrade() -> None:
    raise NotImplementedError("recorded events are never taken apart")
