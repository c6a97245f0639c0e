"""Slots of schedules: one run a slot, and runs that were refused."""

import sqlalchemy as sa
from alembic import op

revision = "ops_0004"
down_revision = "ops_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    slot = sa.Column("slot", sa.DateTime(timezone=True), comment="the time that its schedule meant")
    refused = sa.Column(
        "refused",
        sa.Text(),
        comment="why nothing was fetched: its slot had a run, or the run before was still going",
    )
    op.add_column("run", slot, schema="ops")
    op.add_column("run", refused, schema="ops")
    op.create_index(
        "run_slot",
        "run",
        ["dataset", "trigger", "slot"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("refused is null"),
    )
