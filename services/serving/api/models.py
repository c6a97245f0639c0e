"""Response models of the API."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainSerializer

# A JSON number with the digits of the amount: of at most 15 digits, all are in the shortest text of the float.
Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float)]


class PostingSummary(BaseModel):
    """A posting in a search result."""

    control_number: int
    title: str
    agency: str | None
    department: str | None
    series: list[str]
    series_names: list[str]
    pay_plan: str | None
    grade_low: str | None
    grade_high: str | None
    pay_minimum: Dollars | None
    pay_maximum: Dollars | None
    pay_interval: str | None
    annual_minimum: Dollars | None
    annual_maximum: Dollars | None
    opened_on: date | None
    closes_on: date | None
    ended_on: date | None
    is_open: bool
    days_open: int | None
    is_remote: bool | None
    location: str | None
    places: int
    url: str | None
    miles: float | None = Field(None, description="distance of its nearest location from `near`")


class MapPoint(BaseModel):
    """Number of postings around a point."""

    name: str | None
    latitude: float
    longitude: float
    postings: int


class PostingPage(BaseModel):
    """A page of search results."""

    postings: list[PostingSummary]
    next: str | None = Field(description="`cursor` of the next page; null on the last page")
    near: MapPoint | None = Field(None, description="the place that `near` names")
    matched: str = Field(description="words; or titles, if no posting has these words but similar titles exist")


class Place(BaseModel):
    """A location of a posting."""

    name: str | None
    city: str | None
    state: str | None
    country: str | None
    latitude: float | None
    longitude: float | None


class Lineage(BaseModel):
    """The S3 objects from which a posting was loaded."""

    source: str
    bucket: str
    key: str
    version: str
    silver_key: str
    run_id: str | None
    observed_at: datetime
    loaded_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime


class PostingVersion(BaseModel):
    """A version of a posting."""

    version: int
    seen_at: datetime | None
    replaced_at: datetime | None
    changes: dict[str, list[Any]] | None = Field(description="{field: [before, after]}; null for the first version")


class Posting(PostingSummary):
    """A posting with its locations, history and lineage."""

    sources: list[str]
    position_id: str | None
    office: str | None
    is_telework: bool | None
    schedules: list[str]
    offering_types: list[str]
    hiring_paths: list[str]
    who_may_apply: str | None
    security_clearance: str | None
    openings: str | None
    summary: str | None
    first_seen_at: datetime
    locations: list[Place]
    history: list[PostingVersion] = Field(description="empty if it has never changed")
    lineage: list[Lineage]


class PostingTotals(BaseModel):
    """Totals of the matching postings."""

    postings: int
    open: int
    agencies: int
    pay: list[Dollars] | None = Field(description="quartiles of the midpoints of pay, dollars a year")


class PayBin(BaseModel):
    """Number of postings by the midpoint of their pay, from `dollars` up to the next bin."""

    dollars: int
    postings: int


class TimelineBucket(BaseModel):
    """Number of postings opened in a week or month."""

    step: str
    from_day: date
    postings: int


class AgencyDay(BaseModel):
    """Postings of an agency on a day with changes."""

    agency: str
    day: date
    opened: int
    closed: int
    open: int


class SeriesPay(BaseModel):
    """Pay of an occupational series, dollars a year."""

    series: str
    series_name: str | None
    postings: int
    p10: Dollars
    p25: Dollars
    median: Dollars
    p75: Dollars
    p90: Dollars


class TimeToClose(BaseModel):
    """How long an agency's postings of a year accepted applications."""

    agency: str
    opened_year: int
    postings: int
    mean_days: Dollars
    median_days: int
    p90_days: int


class Agency(BaseModel):
    """An agency and its number of postings."""

    agency: str
    postings: int


class Freshness(BaseModel):
    """The last refresh of a gold table or view."""

    what: str
    refreshed_at: datetime
    took_seconds: float
    changed: int
    seen: str


class ErrorResponse(BaseModel):
    """An error message."""

    detail: str
