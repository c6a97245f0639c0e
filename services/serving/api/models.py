"""What the API answers with."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, Field, PlainSerializer

Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float)]  # a JSON number, not text


class Found(BaseModel):
    """A posting in a list."""

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
    miles: float | None = Field(None, description="of its nearest place from `near`")


class Page(BaseModel):
    """Some postings, and where to go on."""

    postings: list[Found]
    next: str | None = Field(description="`cursor` of the next page; null: this is the last")
    matched: str = Field(description="words, or titles: nothing has these words, but titles look like them")


class Place(BaseModel):
    """Where a posting may be filled."""

    name: str | None
    city: str | None
    state: str | None
    country: str | None
    latitude: float | None
    longitude: float | None


class Lineage(BaseModel):
    """Where the content of a posting is from."""

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


class Version(BaseModel):
    """A posting as it was at a time."""

    version: int
    seen_at: datetime | None
    replaced_at: datetime | None
    changes: dict[str, list[Any]] | None = Field(description="{field: [before, after]}; null of the first")


class Posting(Found):
    """All about one posting."""

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
    history: list[Version] = Field(description="empty where it has never changed")
    lineage: list[Lineage]


class Summary(BaseModel):
    """What the postings asked for add up to."""

    postings: int
    open: int
    agencies: int
    pay: list[float] | None = Field(description="quartiles of the middles of pay, dollars a year")


class Bin(BaseModel):
    """Postings whose middle of pay is from `dollars` on, up to the next bin."""

    dollars: int
    postings: int


class Slot(BaseModel):
    """Postings opened in a week or month."""

    step: str
    from_day: date
    postings: int


class Dot(BaseModel):
    """Postings around a point."""

    name: str | None
    latitude: float
    longitude: float
    postings: int


class AgencyDay(BaseModel):
    """Postings of an agency on a day that something changed."""

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


class Closing(BaseModel):
    """How long postings of an agency and year took applications."""

    agency: str
    opened_year: int
    postings: int
    mean_days: Dollars
    median_days: int
    p90_days: int


class Agency(BaseModel):
    """An agency, and how many postings it has."""

    agency: str
    postings: int


class Fresh(BaseModel):
    """When a part of gold was last brought up to date."""

    what: str
    refreshed_at: datetime
    took_seconds: float
    changed: int
    seen: str


class Problem(BaseModel):
    """Why there is no answer."""

    detail: str
