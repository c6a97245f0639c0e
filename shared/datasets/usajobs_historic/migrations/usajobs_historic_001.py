"""Tables of usajobs_historic."""

import sqlalchemy as sa
from alembic import op

revision = "usajobs_historic_001"
down_revision = None
branch_labels = ("usajobs_historic",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "historic_joa",
        sa.Column("control_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hiring_agency_code", sa.Text(), nullable=True),
        sa.Column("hiring_agency_name", sa.Text(), nullable=True),
        sa.Column("hiring_department_code", sa.Text(), nullable=True),
        sa.Column("hiring_department_name", sa.Text(), nullable=True),
        sa.Column("agency_level", sa.Integer(), nullable=True),
        sa.Column("agency_level_sort", sa.Text(), nullable=True),
        sa.Column("appointment_type", sa.Text(), nullable=True),
        sa.Column("work_schedule", sa.Text(), nullable=True),
        sa.Column("pay_scale", sa.Text(), nullable=True),
        sa.Column("salary_type", sa.Text(), nullable=True),
        sa.Column("vendor", sa.Text(), nullable=True),
        sa.Column("travel_requirement", sa.Text(), nullable=True),
        sa.Column("telework_eligible", sa.Boolean(), nullable=True),
        sa.Column("service_type", sa.Text(), nullable=True),
        sa.Column("security_clearance_required", sa.Boolean(), nullable=True),
        sa.Column("security_clearance", sa.Text(), nullable=True),
        sa.Column("who_may_apply", sa.Text(), nullable=True),
        sa.Column("announcement_closing_type_code", sa.Text(), nullable=True),
        sa.Column("announcement_closing_type_description", sa.Text(), nullable=True),
        sa.Column("position_open_date", sa.Date(), nullable=True),
        sa.Column("position_close_date", sa.Date(), nullable=True),
        sa.Column("position_expire_date", sa.Date(), nullable=True),
        sa.Column("announcement_number", sa.Text(), nullable=True),
        sa.Column("hiring_subelement_name", sa.Text(), nullable=True),
        sa.Column("position_title", sa.Text(), nullable=False),
        sa.Column("minimum_grade", sa.Text(), nullable=True),
        sa.Column("maximum_grade", sa.Text(), nullable=True),
        sa.Column("promotion_potential", sa.Text(), nullable=True),
        sa.Column("minimum_salary", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("maximum_salary", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("supervisory_status", sa.Boolean(), nullable=True),
        sa.Column("drug_test_required", sa.Boolean(), nullable=True),
        sa.Column("relocation_expenses_reimbursed", sa.Boolean(), nullable=True),
        sa.Column("total_openings", sa.Text(), nullable=True),
        sa.Column("disable_apply_online", sa.Boolean(), nullable=True),
        sa.Column("position_opening_status", sa.Text(), nullable=True),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("control_number"),
        schema="silver",
    )
    op.create_table(
        "historic_joa_last_seen",
        sa.Column("control_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source_key_hash", sa.BigInteger(), nullable=False),
        sa.Column("sequencer", sa.Text(collation="C"), nullable=False),
        sa.Column("transform_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("inactive_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("control_number"),
        schema="silver",
    )
    op.create_table(
        "historic_joa_category",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.historic_joa.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "historic_joa_hiring_path",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("hiring_path", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.historic_joa.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "historic_joa_location",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("position_location_city", sa.Text(), nullable=True),
        sa.Column("position_location_state", sa.Text(), nullable=True),
        sa.Column("position_location_country", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.historic_joa.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
