"""USAJOBS' Search postings as somebody would write them by hand: a pydantic model and a function that makes rows."""

# mypy: disable-error-code="valid-type"
# ruff: noqa: RUF012 - pydantic copies defaults

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from shared.datasets.contract.field_types import (
    Flag,
    Float,
    Text,
    Texts,
    Timestamp,
    decimal,
    empty_if_null,
    items_of,
    whole,
)
from shared.datasets.contract.raw_model import RawModel
from shared.datasets.dataset import Row

MONEY, INTEGER, KEY = decimal(14, 2), whole(32), whole(64)


class _Model(RawModel):
    model_config = ConfigDict(alias_generator=to_pascal)


class Coded(_Model):
    """A code and its label; the label is often empty."""

    code: Text = None
    name: Text = None


class Location(_Model):
    """A place where the job is."""

    location_name: Text = None
    country_code: Text = None
    country_sub_division_code: Text = None
    city_name: Text = None
    longitude: Float = None
    latitude: Float = None


class Grade(_Model):
    """A pay plan, such as GS; the grades themselves are in the details."""

    code: Text = None


class Remuneration(_Model):
    """A pay range and what it is per: PA a year, PH an hour."""

    minimum_range: MONEY = None
    maximum_range: MONEY = None
    rate_interval_code: Text = None
    description: Text = None


class FormattedDescription(_Model):
    """A labelled text."""

    label: Text = None
    label_description: Text = None


class Details(_Model):
    """The fields of UserArea.Details."""

    job_summary: Text = None
    who_may_apply: Annotated[Coded, BeforeValidator(empty_if_null)] = Coded()
    low_grade: Text = None
    high_grade: Text = None
    promotion_potential: Text = None
    sub_agency_name: Text = None
    organization_codes: Text = None
    relocation: Flag = None
    hiring_path: Texts = []
    mco_tags: Texts = Field(default=[], alias="MCOTags")
    total_openings: Text = None
    agency_marketing_statement: Text = None
    travel_code: Text = None
    apply_online_url: Text = None
    detail_status_url: Text = None
    major_duties: Texts = []
    education: Text = None
    requirements: Text = None
    evaluations: Text = None
    how_to_apply: Text = None
    what_to_expect_next: Text = None
    required_documents: Text = None
    benefits: Text = None
    benefits_url: Text = None
    benefits_display_default_text: Flag = None
    other_information: Text = None
    key_requirements: Texts = []
    within_area: Flag = None
    commute_distance: INTEGER = None
    service_type: Text = None
    announcement_closing_type: Text = None
    agency_contact_email: Text = None
    agency_contact_phone: Text = None
    agency_contact_website: Text = None
    preview_questionnaire_url: Text = Field(
        default=None, validation_alias=AliasChoices("PreviewQuestionnaireurl", "PreviewQuestionnaireUrl")
    )
    security_clearance: Text = None
    drug_test_required: Flag = None
    adjudication_type: Texts = []
    position_sensitivity: Text = Field(
        default=None, validation_alias=AliasChoices("PositionSensitivitiy", "PositionSensitivity")
    )
    telework_eligible: Flag = None
    remote_indicator: Flag = None
    financial_disclosure: Flag = None
    bargaining_unit_status: Flag = None
    bargaining_unit_status_additional_text: Text = None


class UserArea(_Model):
    """Where the API keeps what its general schema has no place for."""

    details: Annotated[Details, BeforeValidator(empty_if_null)] = Details()


class Descriptor(_Model):
    """The posting itself."""

    position_id: Text = Field(default=None, alias="PositionID")
    position_title: Text = None
    position_uri: Text = Field(default=None, alias="PositionURI")
    apply_uri: Texts = Field(default=[], alias="ApplyURI")
    position_location_display: Text = None
    position_location: items_of(Location) = []
    organization_name: Text = None
    department_name: Text = None
    sub_agency: Text = None
    job_category: items_of(Coded) = []
    job_grade: items_of(Grade) = []
    position_schedule: items_of(Coded) = []
    position_offering_type: items_of(Coded) = []
    qualification_summary: Text = None
    position_remuneration: items_of(Remuneration) = []
    position_start_date: Timestamp = None
    position_end_date: Timestamp = None
    publication_start_date: Timestamp = None
    application_close_date: Timestamp = None
    position_formatted_description: items_of(FormattedDescription) = []
    user_area: Annotated[UserArea, BeforeValidator(empty_if_null)] = UserArea()


class Record(_Model):
    """One item of SearchResultItems. Its natural key is MatchedObjectId; PositionID is not unique."""

    matched_object_id: KEY
    matched_object_descriptor: Descriptor


# The lists of the descriptor that have a table each, {field: table}.
LISTS = {
    "position_location": "job_location",
    "job_category": "job_category",
    "job_grade": "job_grade",
    "position_schedule": "job_schedule",
    "position_offering_type": "job_offering_type",
    "position_remuneration": "job_remuneration",
    "position_formatted_description": "job_formatted_description",
}


def rows(record: Record) -> Row:
    """Rows of all tables. The pay in `job` is the first remuneration."""
    posting = record.matched_object_descriptor
    fields = posting.__dict__
    job = {name: value for name, value in fields.items() if name not in LISTS and name != "user_area"}
    pay = posting.position_remuneration[0] if posting.position_remuneration else None
    return {
        "control_number": record.matched_object_id,
        **job,
        "minimum_range": pay.minimum_range if pay else None,
        "maximum_range": pay.maximum_range if pay else None,
        "rate_interval_code": pay.rate_interval_code if pay else None,
        "job_details": [_details(posting.user_area.details)],
        **{table: _numbered(fields[field]) for field, table in LISTS.items()},
    }


def _details(details: BaseModel) -> Row:
    row: dict[str, Any] = details.__dict__.copy()
    who = row.pop("who_may_apply")
    return {**row, "who_may_apply_code": who.code, "who_may_apply_name": who.name}


def _numbered(items: list[BaseModel]) -> list[Row]:
    return [{"ordinal": number, **item.__dict__} for number, item in enumerate(items, start=1)]
