"""Raw JSON beside the rows, for those who ask for it."""

import sqlalchemy as sa
from alembic import op

revision = "ops_0005"
down_revision = "ops_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "raw",
        sa.Column("dataset", sa.Text(), primary_key=True),
        sa.Column("natural_key", sa.Text(), primary_key=True, comment="its parts separated by tabs"),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        schema="silver",
    )
