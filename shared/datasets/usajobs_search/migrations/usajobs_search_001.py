"""Tables of usajobs_search, and a view with labels."""

import sqlalchemy as sa
from alembic import op

revision = "usajobs_search_001"
down_revision = None
branch_labels = ("usajobs_search",)
depends_on = "usajobs_codes_001"

# Postings with the labels of their codes; a code without a label stands for itself.
LABELS = """
create view silver.job_label as
select job.control_number,
       coalesce(interval.value, job.rate_interval_code) as rate_interval,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_schedule as item
                left join silver.code as list on list.list_name = 'positionscheduletypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as schedules,
       array(
           select coalesce(list.value, item.name, item.code)
           from silver.job_offering_type as item
                left join silver.code as list on list.list_name = 'positionofferingtypes' and list.code = item.code
           where item.control_number = job.control_number order by item.ordinal
       ) as offering_types,
       array(
           select coalesce(list.value, item.code)
           from silver.job_details, unnest(hiring_path) with ordinality as item (code, ordinal)
                left join silver.code as list on list.list_name = 'hiringpaths' and list.code = item.code
           where job_details.control_number = job.control_number order by item.ordinal
       ) as hiring_paths
from silver.job
     left join silver.code as interval
            on interval.list_name = 'remunerationrateintervalcodes' and interval.code = job.rate_interval_code
"""


def upgrade() -> None:
    op.create_table(
        "job",
        sa.Column("control_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position_id", sa.Text(), nullable=True),
        sa.Column("position_title", sa.Text(), nullable=False),
        sa.Column("position_uri", sa.Text(), nullable=True),
        sa.Column("apply_uri", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("position_location_display", sa.Text(), nullable=True),
        sa.Column("organization_name", sa.Text(), nullable=True),
        sa.Column("department_name", sa.Text(), nullable=True),
        sa.Column("sub_agency", sa.Text(), nullable=True),
        sa.Column("qualification_summary", sa.Text(), nullable=True),
        sa.Column("position_start_date", sa.DateTime(), nullable=True),
        sa.Column("position_end_date", sa.DateTime(), nullable=True),
        sa.Column("publication_start_date", sa.DateTime(), nullable=True),
        sa.Column("application_close_date", sa.DateTime(), nullable=True),
        sa.Column("minimum_range", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("maximum_range", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("rate_interval_code", sa.Text(), nullable=True),
        sa.Column("object_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("control_number"),
        schema="silver",
    )
    op.create_index(op.f("ix_silver_job_position_id"), "job", ["position_id"], unique=False, schema="silver")
    op.create_table(
        "job_last_seen",
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
        "job_category",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_details",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("job_summary", sa.Text(), nullable=True),
        sa.Column("who_may_apply_code", sa.Text(), nullable=True),
        sa.Column("who_may_apply_name", sa.Text(), nullable=True),
        sa.Column("low_grade", sa.Text(), nullable=True),
        sa.Column("high_grade", sa.Text(), nullable=True),
        sa.Column("promotion_potential", sa.Text(), nullable=True),
        sa.Column("sub_agency_name", sa.Text(), nullable=True),
        sa.Column("organization_codes", sa.Text(), nullable=True),
        sa.Column("relocation", sa.Boolean(), nullable=True),
        sa.Column("hiring_path", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("mco_tags", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("total_openings", sa.Text(), nullable=True),
        sa.Column("agency_marketing_statement", sa.Text(), nullable=True),
        sa.Column("travel_code", sa.Text(), nullable=True),
        sa.Column("apply_online_url", sa.Text(), nullable=True),
        sa.Column("detail_status_url", sa.Text(), nullable=True),
        sa.Column("major_duties", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("education", sa.Text(), nullable=True),
        sa.Column("requirements", sa.Text(), nullable=True),
        sa.Column("evaluations", sa.Text(), nullable=True),
        sa.Column("how_to_apply", sa.Text(), nullable=True),
        sa.Column("what_to_expect_next", sa.Text(), nullable=True),
        sa.Column("required_documents", sa.Text(), nullable=True),
        sa.Column("benefits", sa.Text(), nullable=True),
        sa.Column("benefits_url", sa.Text(), nullable=True),
        sa.Column("benefits_display_default_text", sa.Boolean(), nullable=True),
        sa.Column("other_information", sa.Text(), nullable=True),
        sa.Column("key_requirements", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("within_area", sa.Boolean(), nullable=True),
        sa.Column("commute_distance", sa.Integer(), nullable=True),
        sa.Column("service_type", sa.Text(), nullable=True),
        sa.Column("announcement_closing_type", sa.Text(), nullable=True),
        sa.Column("agency_contact_email", sa.Text(), nullable=True),
        sa.Column("agency_contact_phone", sa.Text(), nullable=True),
        sa.Column("agency_contact_website", sa.Text(), nullable=True),
        sa.Column("preview_questionnaire_url", sa.Text(), nullable=True),
        sa.Column("security_clearance", sa.Text(), nullable=True),
        sa.Column("drug_test_required", sa.Boolean(), nullable=True),
        sa.Column("adjudication_type", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("position_sensitivity", sa.Text(), nullable=True),
        sa.Column("telework_eligible", sa.Boolean(), nullable=True),
        sa.Column("remote_indicator", sa.Boolean(), nullable=True),
        sa.Column("financial_disclosure", sa.Boolean(), nullable=True),
        sa.Column("bargaining_unit_status", sa.Boolean(), nullable=True),
        sa.Column("bargaining_unit_status_additional_text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number"),
        schema="silver",
    )
    op.create_table(
        "job_formatted_description",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("label_description", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_grade",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_location",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("location_name", sa.Text(), nullable=True),
        sa.Column("country_code", sa.Text(), nullable=True),
        sa.Column("country_sub_division_code", sa.Text(), nullable=True),
        sa.Column("city_name", sa.Text(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_offering_type",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_remuneration",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("minimum_range", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("maximum_range", sa.Numeric(precision=14, scale=2), nullable=True),
        sa.Column("rate_interval_code", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.create_table(
        "job_schedule",
        sa.Column("control_number", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["control_number"], ["silver.job.control_number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("control_number", "ordinal"),
        schema="silver",
    )
    op.execute(LABELS)
