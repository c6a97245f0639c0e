"""Tables of usajobs_codes."""

import sqlalchemy as sa
from alembic import op

revision = "usajobs_codes_001"
down_revision = None
branch_labels = ("usajobs_codes",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "code_list",
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_name"),
        schema="silver",
    )
    op.create_table(
        "code_list_last_seen",
        sa.Column("list_name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_key_hash", sa.BigInteger(), nullable=False),
        sa.Column("sequencer", sa.Text(collation="C"), nullable=False),
        sa.Column("transform_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inactive_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("list_name"),
        schema="silver",
    )
    op.create_table(
        "code",
        sa.Column("list_name", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("parent_code", sa.Text(), nullable=True),
        sa.Column("job_family", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.DateTime(), nullable=True),
        sa.Column("is_disabled", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["list_name"], ["silver.code_list.list_name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("list_name", "ordinal"),
        schema="silver",
    )
    op.create_index(op.f("ix_silver_code_code"), "code", ["code"], unique=False, schema="silver")
