"""Schema `silver`: `job`, keyed by control number (MatchedObjectId), and a table for each list inside a posting."""

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Double, ForeignKey, Integer, Numeric, Table, Text

from shared.datasets.silver_tables import METADATA, last_seen, provenance

TEXTS = ARRAY(Text)
MONEY = Numeric(14, 2)

ROOT = Table(
    "job",
    METADATA,
    Column("control_number", BigInteger, primary_key=True, autoincrement=False),
    Column("position_id", Text, index=True),  # not unique: agencies reuse it
    Column("position_title", Text, nullable=False),
    Column("position_uri", Text),
    Column("apply_uri", TEXTS),
    Column("position_location_display", Text),
    Column("organization_name", Text),
    Column("department_name", Text),
    Column("sub_agency", Text),
    Column("qualification_summary", Text),
    Column("position_start_date", DateTime),  # the API's dates carry no time zone
    Column("position_end_date", DateTime),
    Column("publication_start_date", DateTime),
    Column("application_close_date", DateTime),
    Column("minimum_range", MONEY),
    Column("maximum_range", MONEY),
    Column("rate_interval_code", Text),
    provenance(),
)


def _child(name: str, *columns: Column[object], ordinal: bool = True) -> Table:
    """A table whose rows belong to a job: one each, or (with an ordinal) in the order of the source."""
    key: Column[int] = Column("control_number", ForeignKey(ROOT.c.control_number, ondelete="CASCADE"), primary_key=True)
    place = [Column("ordinal", Integer, primary_key=True)] if ordinal else []
    return Table(name, METADATA, key, *place, *columns)


JOB_DETAILS = _child(
    "job_details",
    Column("job_summary", Text),
    Column("who_may_apply_code", Text),
    Column("who_may_apply_name", Text),
    Column("low_grade", Text),
    Column("high_grade", Text),
    Column("promotion_potential", Text),
    Column("sub_agency_name", Text),
    Column("organization_codes", Text),
    Column("relocation", Boolean),
    Column("hiring_path", TEXTS),
    Column("mco_tags", TEXTS),
    Column("total_openings", Text),  # a number, or "Many", or "Few"
    Column("agency_marketing_statement", Text),
    Column("travel_code", Text),
    Column("apply_online_url", Text),
    Column("detail_status_url", Text),
    Column("major_duties", TEXTS),
    Column("education", Text),
    Column("requirements", Text),
    Column("evaluations", Text),
    Column("how_to_apply", Text),
    Column("what_to_expect_next", Text),
    Column("required_documents", Text),
    Column("benefits", Text),
    Column("benefits_url", Text),
    Column("benefits_display_default_text", Boolean),
    Column("other_information", Text),
    Column("key_requirements", TEXTS),
    Column("within_area", Boolean),
    Column("commute_distance", Integer),
    Column("service_type", Text),
    Column("announcement_closing_type", Text),
    Column("agency_contact_email", Text),
    Column("agency_contact_phone", Text),
    Column("agency_contact_website", Text),
    Column("preview_questionnaire_url", Text),
    Column("security_clearance", Text),
    Column("drug_test_required", Boolean),
    Column("adjudication_type", TEXTS),
    Column("position_sensitivity", Text),
    Column("telework_eligible", Boolean),
    Column("remote_indicator", Boolean),
    Column("financial_disclosure", Boolean),
    Column("bargaining_unit_status", Boolean),
    Column("bargaining_unit_status_additional_text", Text),
    ordinal=False,
)
JOB_LOCATION = _child(
    "job_location",
    Column("location_name", Text),
    Column("country_code", Text),
    Column("country_sub_division_code", Text),
    Column("city_name", Text),
    Column("longitude", Double),
    Column("latitude", Double),
)
JOB_CATEGORY = _child("job_category", Column("code", Text), Column("name", Text))
JOB_GRADE = _child("job_grade", Column("code", Text))
JOB_SCHEDULE = _child("job_schedule", Column("code", Text), Column("name", Text))
JOB_OFFERING_TYPE = _child("job_offering_type", Column("code", Text), Column("name", Text))
JOB_REMUNERATION = _child(
    "job_remuneration",
    Column("minimum_range", MONEY),
    Column("maximum_range", MONEY),
    Column("rate_interval_code", Text),
    Column("description", Text),
)
JOB_FORMATTED_DESCRIPTION = _child(
    "job_formatted_description", Column("label", Text), Column("label_description", Text)
)

CHILDREN = (
    JOB_DETAILS,
    JOB_LOCATION,
    JOB_CATEGORY,
    JOB_GRADE,
    JOB_SCHEDULE,
    JOB_OFFERING_TYPE,
    JOB_REMUNERATION,
    JOB_FORMATTED_DESCRIPTION,
)
LAST_SEEN = last_seen(ROOT)
