"""The ledger keeps how many rows a page said that its part has: data may grow while a run is under way."""

import sqlalchemy as sa
from alembic import op

revision = "ops_0007"
down_revision = "ops_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "rows that the source said its part has, on this page"
    op.add_column("object", sa.Column("part_rows", sa.Integer(), comment=comment), schema="ops")
