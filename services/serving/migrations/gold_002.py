"""An index for postings by state."""

from alembic import op

revision = "gold_002"
down_revision = "gold_001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create index posting_location_state on gold.posting_location (lower(state), control_number)")
