"""Tables of reference_table."""

import sqlalchemy as sa
from alembic import op

revision = "reference_table_001"
down_revision = None
branch_labels = ("reference_table",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reference_table",
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list", "code"),
        schema="silver",
    )
    op.create_table(
        "reference_table_last_seen",
        sa.Column("list", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_key_hash", sa.BigInteger(), nullable=False),
        sa.Column("sequencer", sa.Text(collation="C"), nullable=False),
        sa.Column("transform_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inactive_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list", "code"),
        schema="silver",
    )
