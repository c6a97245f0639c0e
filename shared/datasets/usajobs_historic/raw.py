"""The Historic JOA API's response, as it really comes: "Y" and "N", salaries as floats, lists in several spellings."""

from pydantic import AliasChoices, ConfigDict, Field
from pydantic.alias_generators import to_camel

from shared.datasets.contract import BatchLimits
from shared.datasets.field_types import Day, Flag, Items, Key, Money, Text, Whole
from shared.datasets.raw_model import RawModel

RECORDS = ("data",)
COUNT: tuple[str, ...] = ()
TOTAL = ("paging", "metadata", "totalCount")
KEY = ("usajobsControlNumber",)
IGNORED: frozenset[str] = frozenset()
VOLATILE: frozenset[str] = frozenset()
LIMITS = BatchLimits()
KNOWN_VALUES = {
    "positionOpeningStatus": frozenset(
        (
            "Accepting applications",
            "Applications under review",
            "Candidate selected",
            "Job canceled",
            "Job closed",
        )
    ),
    "salaryType": frozenset(
        (
            "Bi-weekly",
            "Fee Basis",
            "Per Day",
            "Per Hour",
            "Per Month",
            "Per Year",
            "Piece Work",
            "School Year",
            "Student Stipend Paid",
            "Without Compensation",
        )
    ),
}


class _Model(RawModel):
    model_config = ConfigDict(alias_generator=to_camel)


class HiringPath(_Model):
    """Whom the job is open to, such as "The public"."""

    hiring_path: Text = None


class Category(_Model):
    """An occupational series: four digits as text."""

    series: Text = None


class Location(_Model):
    """A place where the job is."""

    position_location_city: Text = None
    position_location_state: Text = None
    position_location_country: Text = None


class Record(_Model):
    """One item of `data`. Its natural key is usajobsControlNumber; announcementNumber is not unique."""

    control_number: Key = Field(alias="usajobsControlNumber")
    hiring_agency_code: Text = None
    hiring_agency_name: Text = None
    hiring_department_code: Text = None
    hiring_department_name: Text = None
    agency_level: Whole = None
    agency_level_sort: Text = None
    appointment_type: Text = None
    work_schedule: Text = None
    pay_scale: Text = None
    salary_type: Text = None
    vendor: Text = None
    travel_requirement: Text = None
    telework_eligible: Flag = None
    service_type: Text = None
    security_clearance_required: Flag = None
    security_clearance: Text = None
    who_may_apply: Text = None
    announcement_closing_type_code: Text = None
    announcement_closing_type_description: Text = None
    position_open_date: Day = None
    position_close_date: Day = None
    position_expire_date: Day = None
    announcement_number: Text = None
    hiring_subelement_name: Text = None
    position_title: Text = None
    minimum_grade: Text = None
    maximum_grade: Text = None
    promotion_potential: Text = None
    minimum_salary: Money = None
    maximum_salary: Money = None
    supervisory_status: Flag = None
    drug_test_required: Flag = None
    relocation_expenses_reimbursed: Flag = None
    total_openings: Text = None
    disable_apply_online: Flag = Field(
        default=None, validation_alias=AliasChoices("disableApplyOnline", "disableAppyOnline")
    )
    position_opening_status: Text = None
    hiring_paths: Items[HiringPath] = Field(
        default=[], validation_alias=AliasChoices("hiringPaths", "HiringPaths", "hiringpaths")
    )
    job_categories: Items[Category] = Field(
        default=[], validation_alias=AliasChoices("jobCategories", "JobCategories", "jobcategories")
    )
    position_locations: Items[Location] = Field(
        default=[], validation_alias=AliasChoices("positionLocations", "PositionLocations", "positionlocations")
    )
