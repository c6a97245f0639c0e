"""The Search API's response, as it really comes: numbers as strings, "True" and true, two spellings of one word."""

import math
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_pascal
from pydantic_core import PydanticCustomError

from shared.datasets.contract import Page
from shared.errors import PermanentError

QUERY_DEPENDENT = ("RelevanceRank",)
QUERY_DEPENDENT_IN_USER_AREA = ("IsRadialSearch",)


def page(payload: object) -> Page:
    """The postings of a Search response."""
    try:
        records = payload["SearchResult"]["SearchResultItems"]  # type: ignore[index]
    except (KeyError, TypeError, IndexError):
        records = None
    if not isinstance(records, list):
        message = "not a USAJOBS Search response: no list at SearchResult.SearchResultItems"
        raise PermanentError(message)
    return Page(records)


def content(record: object) -> object:
    """The posting without what depends on the query that found it."""
    if not isinstance(record, dict):
        return record
    kept = {name: value for name, value in record.items() if name not in QUERY_DEPENDENT}
    descriptor = kept.get("MatchedObjectDescriptor")
    area = descriptor.get("UserArea") if isinstance(descriptor, dict) else None
    if isinstance(descriptor, dict) and isinstance(area, dict):
        area = {name: value for name, value in area.items() if name not in QUERY_DEPENDENT_IN_USER_AREA}
        kept["MatchedObjectDescriptor"] = {**descriptor, "UserArea": area}
    return kept


MOST_ITEMS = 200_000  # of a list inside a posting; the longest real one has 1,176
GROUPED = re.compile(r"\s*-?\$?\s*-?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,2})?\s*")  # $120,000.00


def _absent_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _storable(value: Any) -> Any:
    if isinstance(value, str) and "\x00" in value:
        raise PydanticCustomError("string_with_nul", "contains U+0000, which Postgres cannot store")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("string_type", "is no text, and no finite number")
    return _absent_if_blank(value)


def _number(kind: Literal["int_type", "float_type", "decimal_type"]) -> BeforeValidator:
    """Numbers as numbers or text: pydantic would take true for 1, and 1_000 for 1000."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
            raise PydanticCustomError(kind, "is not a number")
        if kind == "int_type" and isinstance(value, float) and not math.isfinite(value):
            raise PydanticCustomError(kind, "is no whole number that fits")
        return _absent_if_blank(value)

    return BeforeValidator(check)


def _amount(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not GROUPED.fullmatch(value):
        raise PydanticCustomError("decimal_type", "is not an amount of money")
    return _absent_if_blank(value.replace("$", "").replace(",", ""))


def _iso(value: Any) -> Any:
    """Dates as ISO text: pydantic would take 20250101 for seconds since 1970."""
    if value is not None and not (isinstance(value, str) and (not value.strip() or "-" in value[1:])):
        raise PydanticCustomError("datetime_type", "is not an ISO 8601 date")
    return _absent_if_blank(value)


def _without_zone(value: datetime | None) -> datetime | None:
    """The API's dates have no zone; one that has is taken to UTC."""
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value
    except OverflowError as error:
        raise PydanticCustomError("datetime_range", "is beyond the calendar") from error


def _empty_if_null(value: Any) -> Any:
    return {} if value is None else value


def _none_if_null(value: Any) -> Any:
    return [] if value is None else value


Text = Annotated[str | None, BeforeValidator(_storable)]
Flag = Annotated[bool | None, BeforeValidator(_absent_if_blank)]
Moment = Annotated[datetime | None, BeforeValidator(_iso), AfterValidator(_without_zone)]
Coordinate = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, _number("float_type")]
Whole = Annotated[Annotated[int, Field(ge=-(2**31), lt=2**31)] | None, _number("int_type")]
Money = Annotated[
    Annotated[Decimal, Field(max_digits=14, decimal_places=2)] | None, BeforeValidator(_amount), _number("decimal_type")
]
Texts = Annotated[
    list[Text], BeforeValidator(_none_if_null), AfterValidator(lambda texts: [text for text in texts if text])
]
Item = TypeVar("Item")
Items = Annotated[list[Item], Field(max_length=MOST_ITEMS), BeforeValidator(_none_if_null)]


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_pascal, str_strip_whitespace=True, coerce_numbers_to_str=True)


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
    longitude: Coordinate = None
    latitude: Coordinate = None


class Grade(_Model):
    """A pay plan, such as GS; the grades themselves are in the details."""

    code: Text = None


class Remuneration(_Model):
    """A pay range and what it is per: PA a year, PH an hour."""

    minimum_range: Money = None
    maximum_range: Money = None
    rate_interval_code: Text = None
    description: Text = None


class FormattedDescription(_Model):
    """A labelled text."""

    label: Text = None
    label_description: Text = None


class Details(_Model):
    """The fields of UserArea.Details."""

    job_summary: Text = None
    who_may_apply: Annotated[Coded, BeforeValidator(_empty_if_null)] = Coded()
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
    commute_distance: Whole = None
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

    details: Annotated[Details, BeforeValidator(_empty_if_null)] = Details()


class Descriptor(_Model):
    """The posting itself."""

    position_id: Text = Field(default=None, alias="PositionID")
    position_title: Text = None
    position_uri: Text = Field(default=None, alias="PositionURI")
    apply_uri: Texts = Field(default=[], alias="ApplyURI")
    position_location_display: Text = None
    position_location: Items[Location] = []
    organization_name: Text = None
    department_name: Text = None
    sub_agency: Text = None
    job_category: Items[Coded] = []
    job_grade: Items[Grade] = []
    position_schedule: Items[Coded] = []
    position_offering_type: Items[Coded] = []
    qualification_summary: Text = None
    position_remuneration: Items[Remuneration] = []
    position_start_date: Moment = None
    position_end_date: Moment = None
    publication_start_date: Moment = None
    application_close_date: Moment = None
    position_formatted_description: Items[FormattedDescription] = []
    user_area: Annotated[UserArea, BeforeValidator(_empty_if_null)] = UserArea()


class Record(_Model):
    """One item of SearchResultItems. Its natural key is MatchedObjectId; PositionID is not unique."""

    matched_object_id: Annotated[int, Field(ge=1, lt=2**63), _number("int_type")]
    matched_object_descriptor: Descriptor
