"""What may be asked of postings, and the SQL that answers it. Pure: values are always bound, never written into SQL."""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from services.serving.database import Statement

Sort = Literal["relevance", "newest", "closing", "pay", "distance"]

# Of matches without number, so many are ranked: those with the words in the title first, then the newest.
RANKED = 200
# So many matches are sorted to find the newest. Of more, going through all postings from the newest on comes to enough
# of them sooner. Left to itself the planner goes through everything for a word that nothing has.
SORTED = 5_000
QUERY = "websearch_to_tsquery('english', :q)"
LONGEST_RADIUS = 500  # miles
COLUMNS = (
    "control_number, title, agency, department, series, series_names, pay_plan, grade_low, grade_high, pay_minimum,"
    " pay_maximum, pay_interval, annual_minimum, annual_maximum, opened_on, closes_on, ended_on, is_open, days_open,"
    " is_remote, location, places, url"
)
POINT = re.compile(r"\s*(-?\d{1,2}(?:\.\d{1,9})?)\s*,\s*(-?\d{1,3}(?:\.\d{1,9})?)\s*")


def _printable(text: str) -> str:
    """Raises ValueError for what no text column holds, and nobody types."""
    if not all(character.isprintable() for character in text):
        message = "holds characters that cannot be printed"
        raise ValueError(message)
    return text


Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]


class Filters(BaseModel):
    """Which postings. All that is given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Words | None = Field(None, description='words; "quoted phrases", or, -not')
    near: Words | None = Field(None, description="latitude,longitude in degrees, or a place as `/v1/places` names it")
    radius: float = Field(50, gt=0, le=LONGEST_RADIUS, allow_inf_nan=False, description="miles around `near`")
    agency: Words | None = Field(None, description="name of the agency, as postings have it")
    series: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = Field(None, description="occupational series, 2210")
    grade: int | None = Field(None, ge=0, le=99, description="a grade that the posting's range includes")
    pay: int | None = Field(None, ge=0, le=10_000_000, description="dollars a year that the posting may pay at least")
    remote: bool | None = Field(None, description="whether the whole job is remote")
    open: bool | None = Field(None, description="whether applications are taken today")

    @model_validator(mode="after")
    def _on_earth(self) -> "Filters":
        latitude, longitude = self.point or (0, 0)
        if abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
            message = "near: latitude is at most 90, longitude at most 180"
            raise ValueError(message)
        return self

    @property
    def point(self) -> tuple[float, float] | None:
        """Latitude and longitude, where `near` is such."""
        found = POINT.fullmatch(self.near or "")
        return (float(found[1]), float(found[2])) if found else None


class Search(Filters):
    """Which postings, in which order, and from where on."""

    sort: Sort | None = Field(None, description="default: relevance with q, else distance with near, else newest")
    limit: int = Field(25, ge=1, le=100)
    cursor: Annotated[str, Field(max_length=300)] | None = Field(None, description="`next` of the page before")

    @model_validator(mode="after")
    def _sortable(self) -> "Search":
        needed = {"relevance": self.q, "distance": self.near}
        if self.sort in needed and not needed[self.sort]:
            message = f"sort={self.sort} needs {'q' if self.sort == 'relevance' else 'near'}"
            raise ValueError(message)
        if self.cursor:
            place_of(self.cursor, self.order)
        return self

    @property
    def order(self) -> Sort:
        """The order asked for, or the one that suits what is asked."""
        return self.sort or ("relevance" if self.q else "distance" if self.near else "newest")


@dataclass(frozen=True)
class Order:
    """What sorts: an expression that is never null, its type, and which end comes first."""

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
    "agency": "agency = :agency",
    "series": "series @> array[:series]",
    "grade": "gold.grade_number(grade_low) <= :grade and gold.grade_number(grade_high) >= :grade",
    "pay": "annual_maximum >= :pay",
    "remote": "coalesce(is_remote, false) = :remote",
    "open": "is_open = :open",
}


def matching(filters: Filters, point: tuple[float, float] | None) -> Statement:
    """`from …` and `where …` of the postings asked for. `point` is where `near` is."""
    given = filters.model_dump(include=set(CONDITIONS), exclude_none=True)
    conditions = " and ".join(CONDITIONS[name] for name in given) or "true"
    if not point:
        return Statement(f"from gold.posting where {conditions}", given)
    given |= {"latitude": point[0], "longitude": point[1], "radius": filters.radius}
    sql = "from gold.posting join gold.postings_near(:latitude, :longitude, :radius) as near using (control_number)"
    if filters.q:  # whole texts are read for what the index has found, not for all that is near
        found = f"select control_number from gold.posting where {CONDITIONS['q']} offset 0"  # noqa: S608 - our own SQL
        conditions = conditions.replace(CONDITIONS["q"], f"control_number in ({found})")
    return Statement(f"{sql} where {conditions}", given)


def page(search: Search, point: tuple[float, float] | None) -> Statement:
    """One more posting than the page holds, so that it is known whether another page follows."""
    order, which = ORDERS[search.order], matching(search, point)
    miles = ", miles" if point else ""
    found = _ranked(search, point) if search.order == "relevance" else f"select {COLUMNS}{miles} {which.sql}"
    after, values = _after(search, order)
    direction = "desc" if order.descending else "asc"
    sql = f"""
        select *, ({order.key})::text as sort_key from ({found}) as found {after}
        order by {order.key} {direction}, control_number {direction} limit :rows
    """  # noqa: S608 - our own names and expressions; values are bound
    return Statement(sql, which.values | values | {"rows": search.limit + 1})


def similar(search: Search, point: tuple[float, float] | None) -> Statement:
    """Postings whose titles look like what was typed, where no words match: for typing errors."""
    which = matching(search.model_copy(update={"q": None}), point)
    miles = ", miles" if point else ""
    sql = f"""
        select {COLUMNS}{miles}, '' as sort_key {which.sql} and :q <% title
        order by word_similarity(:q, title) desc, opened_on desc nulls last, control_number desc limit :rows
    """
    return Statement(sql, which.values | {"q": search.q, "rows": search.limit})


def cursor_of(row: dict[str, Any], order: Sort) -> str:
    """A place in a sorted list, to go on after."""
    place = json.dumps([order, row["sort_key"], row["control_number"]], separators=(",", ":"))
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str, order: Sort) -> tuple[str, int]:
    """Sort key and control number. Raises ValueError for what is no cursor of this order."""
    try:
        sort, key, number = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        message = "cursor: not one of ours"
        raise ValueError(message) from error
    valid = sort == order and isinstance(key, str) and ORDERS[order].check.fullmatch(key)
    if not valid or type(number) is not int or not 0 <= number < 2**63:
        message = "cursor: not one of this search"
        raise ValueError(message)
    return key, number


def _ranked(search: Search, point: tuple[float, float] | None) -> str:
    """Matches with their rank. Ranking reads all words of a posting, so only the likeliest are ranked."""
    return f"""
        select {COLUMNS}{", miles" if point else ""}, ts_rank(words, {QUERY})::double precision as rank
        from ({_likeliest_near(search, point) if point else _likeliest(search)}) as likeliest
             join gold.posting using (control_number)
    """  # noqa: S608 - our own names and expressions; values are bound


def _likeliest_near(search: Search, point: tuple[float, float]) -> str:
    """What is near is little enough to be sorted as a whole."""
    return f"""
        select control_number, miles {matching(search, point).sql}
        order by (title_words @@ {QUERY}) desc, {ORDERS["newest"].key} desc, control_number desc limit {RANKED}
    """


def _likeliest(search: Search) -> str:
    """Those with the words in the title, and only where these are too few those that have them elsewhere."""
    words = matching(search, None).sql
    # What is in the title is in the words, unless something is asked not to be there: then they have to be read.
    titled = words if "-" in (search.q or "") else matching(search.model_copy(update={"q": None}), None).sql
    others = f"{words} and not title_words @@ {QUERY} and (select count(*) from titled) < {RANKED}"  # noqa: S608 - likewise
    return f"""
        with {_newest("titled", f"{titled} and title_words @@ {QUERY}")}, {_newest("others", others)}
        select control_number from (select *, 1 as tier from titled union all select *, 2 from others) as either
        order by tier, opened desc, control_number desc limit {RANKED}
    """  # noqa: S608 - likewise


def _newest(name: str, which: str) -> str:
    """A query of this name for the newest of these postings."""
    found = f"select control_number, {ORDERS['newest'].key} as opened {which}"
    newest = f"order by opened desc, control_number desc limit {RANKED}"
    return f"""
        some_{name} as materialized ({found} limit {SORTED}),
        {name} as (
            (select * from some_{name} where (select count(*) from some_{name}) < {SORTED} {newest})
            union all
            (select * from ({found} {newest}) as walk where (select count(*) from some_{name}) = {SORTED})
        )
    """  # noqa: S608 - likewise


def _after(search: Search, order: Order) -> tuple[str, dict[str, Any]]:
    if not search.cursor:
        return "", {}
    key, number = place_of(search.cursor, search.order)
    than = "<" if order.descending else ">"
    clause = f"where ({order.key}, control_number) {than} (cast(:after_key as {order.type}), :after_number)"
    return clause, {"after_key": key, "after_number": number}
