"""When a record was seen no more."""

import sqlalchemy as sa
from alembic import op

revision = "usajobs_search_0003"
down_revision = "usajobs_search_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_last_seen", sa.Column("inactive_since", sa.DateTime(timezone=True)), schema="silver")
