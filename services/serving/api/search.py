"""Search parameters and the SQL for them. No I/O. Values are always bound, never formatted into SQL."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.serving.api.states import name_of
from services.serving.database import Statement

Sort = Literal["relevance", "newest", "closing", "pay", "distance"]

# Number of matches that are ranked: those with the words in the title first, then the newest.
MAX_RANKED = 200
# Up to this many matches are sorted by date. Beyond, scanning postings from newest to oldest finds enough matches
# sooner. The planner on its own would scan all postings for a word that none has.
MAX_SORTED = 5_000
QUERY = "websearch_to_tsquery('english', :q)"
MAX_RADIUS = 500  # miles
COLUMNS = (
    "control_number, title, agency, department, series, series_names, pay_plan, grade_low, grade_high, pay_minimum,"
    " pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on, closes_on, ended_on, is_open, days_open,"
    " is_remote, location, places, url"
)
POINT = re.compile(r"\s*(-?\d{1,2}(?:\.\d{1,9})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,9})?)\s*")


def _printable(text: str) -> str:
    """Raises ValueError for unprintable characters, which text columns cannot store."""
    if not all(character.isprintable() for character in text):
        message = "contains unprintable characters"
        raise ValueError(message)
    return text


QueryText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class Filters(BaseModel):
    """Search filters, combined with AND."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: QueryText | None = Field(None, description='words; "quoted phrases", or, -not')
    near: QueryText | None = Field(
        None,
        description=(
            "latitude,longitude in degrees; a place as `/v1/places` names it; or a city alone, of several the one with"
            " the most postings"
        ),
    )
    radius: float = Field(50, gt=0, le=MAX_RADIUS, allow_inf_nan=False, description="miles around `near`")
    agency: list[QueryText] = Field([], max_length=100, description="exact name of the agency; of several, any")
    department: list[QueryText] = Field([], max_length=100, description="exact name of the department; of several, any")
    state: list[Annotated[QueryText, AfterValidator(name_of)]] = Field(
        [], max_length=100, description="name or postal abbreviation of a state of any of its places; of several, any"
    )
    series: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = Field(None, description="occupational series, 2210")
    grade: int | None = Field(None, ge=0, le=99, description="a grade within the posting's range")
    pay: int | None = Field(None, ge=0, le=10_000_000, description="minimum of the highest pay, dollars a year")
    remote: bool | None = Field(None, description="whether the whole job is remote")
    opened_since: date | None = Field(None, description="first day of applications, or later")
    open: bool | None = Field(None, description="whether applications are accepted today")

    @model_validator(mode="after")
    def _on_earth(self) -> "Filters":
        latitude, longitude = self.point or (0, 0)
        if abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
            message = "near: latitude is at most 90, longitude at most 180"
            raise ValueError(message)
        return self

    @property
    def point(self) -> tuple[float, float] | None:
        """Latitude and longitude, if `near` has them."""
        match = POINT.fullmatch(self.near or "")
        return (float(match[1]), float(match[2])) if match else None


class Search(Filters):
    """Search filters, order and page."""

    sort: Sort | None = Field(None, description="default: relevance with q, else distance with near, else newest")
    limit: int = Field(25, ge=1, le=1_000)
    cursor: Annotated[str, Field(max_length=300)] | None = Field(None, description="`next` of the previous page")

    @model_validator(mode="after")
    def _sortable(self) -> "Search":
        needed = {"relevance": self.q, "distance": self.near}
        if self.sort in needed and not needed[self.sort]:
            message = f"sort={self.sort} needs {'q' if self.sort == 'relevance' else 'near'}"
            raise ValueError(message)
        if self.cursor:
            parse_cursor(self.cursor, self.order)
        return self

    @property
    def order(self) -> Sort:
        """The requested order, or the default for these filters."""
        return self.sort or ("relevance" if self.q else "distance" if self.near else "newest")


@dataclass(frozen=True)
class Order:
    """A sort order: an expression that is never null, its type, the pattern of its values, and the direction."""

    key: str
    type: str
    check: re.Pattern[str]
    descending: bool = True


DAY = re.compile(r"-?infinity|\d{4,6}-\d\d-\d\d")
NUMBER = re.compile(r"-?\d{1,17}(\.\d{1,20})?(e[-+]?\d{1,2})?")
ORDERS: dict[Sort, Order] = {
    "relevance": Order("rank", "double precision", NUMBER),
    "newest": Order("coalesce(opened_on, '-infinity'::date)", "date", DAY),
    "closing": Order("coalesce(ended_on, 'infinity'::date)", "date", DAY, descending=False),
    "pay": Order("coalesce(annual_maximum, -1)", "numeric", NUMBER),
    "distance": Order("miles", "double precision", NUMBER, descending=False),
}
CONDITIONS = {
    "q": f"words @@ {QUERY}",
    "agency": "agency = any(:agency)",
    "department": "department = any(:department)",
    "state": "control_number in (select control_number from gold.posting_location where lower(state) = any(:state))",
    "series": "series @> array[:series]",
    "grade": "gold.grade_number(grade_low) <= :grade and gold.grade_number(grade_high) >= :grade",
    "pay": "annual_maximum >= :pay",
    "remote": "coalesce(is_remote, false) = :remote",
    "opened_since": "opened_on >= :opened_since",
    "open": "is_open = :open",
}


def filter_clause(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """The `from … where …` clause of a search. `point` has the coordinates of `near`."""
    values = {name: value for name in CONDITIONS if (value := getattr(filters, name)) not in (None, [])}
    if filters.state:
        values["state"] = [name.lower() for name in filters.state]
    conditions = " and ".join(CONDITIONS[name] for name in values) or "true"
    if not point:
        return Statement(f"from gold.posting where {conditions}", values)
    values |= {"latitude": point[0], "longitude": point[1], "radius": filters.radius}
    sql = "from gold.posting join gold.postings_near(:latitude, :longitude, :radius) as near using (control_number)"
    if filters.q:  # reads the texts of matches in the word index only, not of all nearby postings
        ranked_ids = f"select control_number from gold.posting where {CONDITIONS['q']} offset 0"  # noqa: S608 - our own SQL
        conditions = conditions.replace(CONDITIONS["q"], f"control_number in ({ranked_ids})")
    return Statement(f"{sql} where {conditions}", values)


def page(search: Search, point: tuple[float, float] | None) -> Statement:
    """The query for a page, with one more row to tell whether another page follows."""
    order, clause = ORDERS[search.order], filter_clause(search, point)
    miles = ", miles" if point else ""
    source = _ranked(search, point) if search.order == "relevance" else f"select {COLUMNS}{miles} {clause.sql}"
    after, values = _after(search, order)
    direction = "desc" if order.descending else "asc"
    sql = f"""
        select *, ({order.key})::text as sort_key from ({source}) as found {after}
        order by {order.key} {direction}, control_number {direction} limit :rows
    """  # noqa: S608 - our own names and expressions; values are bound
    return Statement(sql, clause.values | values | {"rows": search.limit + 1})


def similar(search: Search, point: tuple[float, float] | None) -> Statement:
    """The query for postings with similar titles, used for misspelt words."""
    clause = filter_clause(search.model_copy(update={"q": None}), point)
    miles = ", miles" if point else ""
    sql = f"""
        select {COLUMNS}{miles}, '' as sort_key {clause.sql} and :q <% title
        order by word_similarity(:q, title) desc, opened_on desc nulls last, control_number desc limit :rows
    """
    return Statement(sql, clause.values | {"q": search.q, "rows": search.limit})


def make_cursor(row: dict[str, Any], order: Sort) -> str:
    """The cursor after this row."""
    place = json.dumps([order, row["sort_key"], row["control_number"]], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def parse_cursor(cursor: str, order: Sort) -> tuple[str, int]:
    """Sort key and control number of a cursor. Raises ValueError for an invalid cursor."""
    try:
        sort, key, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        message = "cursor: invalid"
        raise ValueError(message) from error
    valid = sort == order and isinstance(key, str) and ORDERS[order].check.fullmatch(key)
    if not valid or type(number) is not int or not 0 <= number < 2**63:
        message = "cursor: belongs to another search"
        raise ValueError(message)
    return key, number


def _ranked(search: Search, point: tuple[float, float] | None) -> str:
    """Matches with their rank. Ranking reads the full text, so only the most likely are ranked."""
    return f"""
        select {COLUMNS}{", miles" if point else ""}, ts_rank(words, {QUERY})::double precision as rank
        from ({_likeliest_near(search, point) if point else _likeliest(search)}) as likeliest
             join gold.posting using (control_number)
    """  # noqa: S608 - our own names and expressions; values are bound


def _likeliest_near(search: Search, point: tuple[float, float]) -> str:
    """Nearby matches are few enough to sort all of them."""
    return f"""
        select control_number, miles {filter_clause(search, point).sql}
        order by (title_words @@ {QUERY}) desc, {ORDERS["newest"].key} desc, control_number desc limit {MAX_RANKED}
    """


def _likeliest(search: Search) -> str:
    """Matches with the words in the title, and if these are too few, other matches."""
    words = filter_clause(search, None).sql
    # A title's words are also in the full text, so the text index is not needed, except for queries with exclusions.
    titled = words if "-" in (search.q or "") else filter_clause(search.model_copy(update={"q": None}), None).sql
    others = f"{words} and not title_words @@ {QUERY} and (select count(*) from titled) < {MAX_RANKED}"  # noqa: S608 - likewise
    return f"""
        with {_newest("titled", f"{titled} and title_words @@ {QUERY}")}, {_newest("others", others)}
        select control_number from (select *, 1 as tier from titled union all select *, 2 from others) as either
        order by tier, opened desc, control_number desc limit {MAX_RANKED}
    """  # noqa: S608 - likewise


def _newest(name: str, clause: str) -> str:
    """Common table expressions for the newest of these postings."""
    candidates = f"select control_number, {ORDERS['newest'].key} as opened {clause}"
    newest = f"order by opened desc, control_number desc limit {MAX_RANKED}"
    return f"""
        some_{name} as materialized ({candidates} limit {MAX_SORTED}),
        {name} as (
            (select * from some_{name} where (select count(*) from some_{name}) < {MAX_SORTED} {newest})
            union all
            (select * from ({candidates} {newest}) as walk where (select count(*) from some_{name}) = {MAX_SORTED})
        )
    """  # noqa: S608 - likewise


def _after(search: Search, order: Order) -> tuple[str, dict[str, Any]]:
    if not search.cursor:
        return "", {}
    key, number = parse_cursor(search.cursor, search.order)
    than = "<" if order.descending else ">"
    clause = f"where ({order.key}, control_number) {than} (cast(:after_key as {order.type}), :after_number)"
    return clause, {"after_key": key, "after_number": number}
