"""The ledger keeps which definition of its dataset an object was made by."""

import sqlalchemy as sa
from alembic import op

revision = "ops_0008"
down_revision = "ops_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "digest of the dataset's definition that made it"
    op.add_column("object", sa.Column("definition", sa.Text(), comment=comment), schema="ops")
