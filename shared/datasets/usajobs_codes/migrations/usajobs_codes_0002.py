"""When a record was seen no more."""

import sqlalchemy as sa
from alembic import op

revision = "usajobs_codes_0002"
down_revision = "usajobs_codes_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("code_list_last_seen", sa.Column("inactive_since", sa.DateTime(timezone=True)), schema="silver")
