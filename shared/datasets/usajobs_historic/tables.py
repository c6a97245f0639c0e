"""Schema `silver`: `historic_joa`, keyed by control number, and a table for each list inside a posting."""

from sqlalchemy import BigInteger, Boolean, Column, Date, ForeignKey, Integer, Numeric, Table, Text

from shared.datasets.silver_tables import METADATA, last_seen, provenance

MONEY = Numeric(14, 2)

ROOT = Table(
    "historic_joa",
    METADATA,
    Column("control_number", BigInteger, primary_key=True, autoincrement=False),
    Column("hiring_agency_code", Text),
    Column("hiring_agency_name", Text),
    Column("hiring_department_code", Text),
    Column("hiring_department_name", Text),
    Column("agency_level", Integer),
    Column("agency_level_sort", Text),  # department and agency, with a backslash between
    Column("appointment_type", Text),
    Column("work_schedule", Text),
    Column("pay_scale", Text),
    Column("salary_type", Text),
    Column("vendor", Text),
    Column("travel_requirement", Text),
    Column("telework_eligible", Boolean),
    Column("service_type", Text),
    Column("security_clearance_required", Boolean),
    Column("security_clearance", Text),
    Column("who_may_apply", Text),
    Column("announcement_closing_type_code", Text),
    Column("announcement_closing_type_description", Text),
    Column("position_open_date", Date),
    Column("position_close_date", Date),
    Column("position_expire_date", Date),
    Column("announcement_number", Text),  # not unique: agencies reuse it
    Column("hiring_subelement_name", Text),
    Column("position_title", Text, nullable=False),
    Column("minimum_grade", Text),  # "07", but also letters
    Column("maximum_grade", Text),
    Column("promotion_potential", Text),
    Column("minimum_salary", MONEY),
    Column("maximum_salary", MONEY),
    Column("supervisory_status", Boolean),
    Column("drug_test_required", Boolean),
    Column("relocation_expenses_reimbursed", Boolean),
    Column("total_openings", Text),  # a number, or "Many", or "FEW"
    Column("disable_apply_online", Boolean),
    Column("position_opening_status", Text),
    provenance(),
)


def _child(name: str, *columns: Column[object]) -> Table:
    """A table whose rows belong to a posting, in the order of the source."""
    key: Column[int] = Column("control_number", ForeignKey(ROOT.c.control_number, ondelete="CASCADE"), primary_key=True)
    return Table(name, METADATA, key, Column("ordinal", Integer, primary_key=True), *columns)


HIRING_PATH = _child("historic_joa_hiring_path", Column("hiring_path", Text))
CATEGORY = _child("historic_joa_category", Column("series", Text))
LOCATION = _child(
    "historic_joa_location",
    Column("position_location_city", Text),
    Column("position_location_state", Text),
    Column("position_location_country", Text),
)

CHILDREN = (HIRING_PATH, CATEGORY, LOCATION)
LAST_SEEN = last_seen(ROOT)
