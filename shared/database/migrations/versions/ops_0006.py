"""What is done to schedules is recorded as well."""

from alembic import op

revision = "ops_0006"
down_revision = "ops_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("replay", "kind", comment="dead_letter, quarantine, reprocess or schedule", schema="ops")
