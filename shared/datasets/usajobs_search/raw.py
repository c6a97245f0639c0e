"""The Search API's response, as it really comes: numbers as strings, "True" and true, two spellings of one word."""

from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_pascal

from shared.datasets.contract import BatchLimits
from shared.datasets.field_types import Coordinate, Flag, Items, Key, Moment, Money, Text, Texts, Whole, empty_if_null
from shared.datasets.raw_model import RawModel

RECORDS = ("SearchResult", "SearchResultItems")
COUNT = ("SearchResult", "SearchResultCount")
TOTAL = ("SearchResult", "SearchResultCountAll")
KEY = ("MatchedObjectId",)
RATE_INTERVALS = frozenset(("BW", "FB", "PA", "PD", "PH", "PM", "PW", "ST", "SY", "WC"))
KNOWN_VALUES = {
    "MatchedObjectDescriptor.PositionRemuneration[].RateIntervalCode": RATE_INTERVALS,
    "MatchedObjectDescriptor.PositionSchedule[].Code": frozenset("123456"),
}
LIMITS = BatchLimits()
VOLATILE = frozenset(("RelevanceRank", "MatchedObjectDescriptor.UserArea.IsRadialSearch"))
IGNORED = VOLATILE  # they are the query's, not the posting's


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

    details: Annotated[Details, BeforeValidator(empty_if_null)] = Details()


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
    user_area: Annotated[UserArea, BeforeValidator(empty_if_null)] = UserArea()


class Record(_Model):
    """One item of SearchResultItems. Its natural key is MatchedObjectId; PositionID is not unique."""

    matched_object_id: Key
    matched_object_descriptor: Descriptor
