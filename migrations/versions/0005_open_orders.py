"""What open orders claim, in the read models' account figures."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMAS = ("read_models", "read_models_shadow")


def upgrade() -> None:
    for schema in SCHEMAS:
        column = sa.Column("open_order_initial_margin", sa.Numeric)
        op.add_column("account_margins", column, schema=schema)


def downgrade() -> None:
    for schema in SCHEMAS:
        op.drop_column("account_margins", "open_order_initial_margin", schema=schema)
