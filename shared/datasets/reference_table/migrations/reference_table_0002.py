"""When a record was seen no more."""

import sqlalchemy as sa
from alembic import op

revision = "reference_table_0002"
down_revision = "reference_table_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("reference_table_last_seen", sa.Column("inactive_since", sa.DateTime(timezone=True)), schema="silver")
