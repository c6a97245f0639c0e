"""The Historic JOA API as a source: how to divide a run into windows of days that are paged through one after another.

A page says how to ask for the next one, so only the windows run in parallel. A posting opens on one day, and so is in
one window only.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from math import ceil
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.datasets.source import (
    PageCounts,
    Params,
    Part,
    Plan,
    ReceivedPage,
    Request,
    UnexpectedAnswerError,
    record_list,
)
from shared.errors import PermanentError

# Of a part. The whole archive, 3 million postings, is then some 160 parts, and as many requests to plan it: one after
# another, each for a full page, and all within the time limit of one message.
MOST_ROWS = 30_000
# The API does not say where it begins. The oldest postings it is known to have opened in 2013, a handful, and those of
# 2014 and 2015 are 164; it is complete from 2017. Three empty years more cost no request.
ARCHIVE_BEGINS = date(2010, 1, 1)
FIRST, LAST, TOKEN = "StartPositionOpenDate", "EndPositionOpenDate", "continuationtoken"
DATES = (FIRST, LAST, "StartPositionCloseDate", "EndPositionCloseDate")
# Parameters may be given as the API spells them or in snake case: {lower case without "_": API's spelling}.
PARAMETERS = {
    name.lower(): name
    for name in (
        "HiringAgencyCodes", "HiringDepartmentCodes", "PositionSeries", "AnnouncementNumbers", "USAJOBSControlNumbers",
        *DATES,
    )
}  # fmt: skip

Fetch = Callable[[Request], object]


class ApiSettings(BaseSettings):
    """Where the API is. It needs no key."""

    model_config = SettingsConfigDict(env_prefix="SMELT_USAJOBS_", env_ignore_empty=True, frozen=True)

    base_url: str = "https://data.usajobs.gov"


class Metadata(BaseModel):
    """What an answer says of its query: the records on all pages, and the most on one page."""

    model_config = ConfigDict(alias_generator=to_camel)

    total_count: NonNegativeInt
    page_size: PositiveInt


class HistoricSource:
    """Plans runs and makes requests."""

    requests_per_second = 5  # the API publishes no limit; this fetches the whole archive in ten minutes
    lists_all = False  # an archive: what it has is over, or in another window
    first_run = None  # the whole archive takes hours

    def checked(self, params: Params) -> dict[str, str]:
        """Params under the API's own names, dates as YYYY-MM-DD; paging is ours. Raises PermanentError for others."""
        names = {given: given.replace("_", "").lower() for given in params}
        if unknown := [given for given, name in names.items() if name not in PARAMETERS]:
            known = ", ".join(sorted(PARAMETERS.values()))
            message = f"unknown parameter {', '.join(map(repr, unknown))}; the Historic JOA API takes {known}"
            raise PermanentError(message)
        if len(set(names.values())) < len(names):
            message = f"a parameter is given twice: {', '.join(sorted(names))}"
            raise PermanentError(message)
        query = {PARAMETERS[name]: params[given] for given, name in names.items()}
        return query | {name: _day(name, query[name]).isoformat() for name in DATES if name in query}

    def plan(self, params: Params, fetch: Fetch) -> Plan:
        """Count what the query announces and halve its window until each part is small, or a single day.

        Without dates the window is the whole archive up to today (UTC); each part carries the dates it ended up with.
        """
        today = datetime.now(UTC).date()
        query = {FIRST: ARCHIVE_BEGINS.isoformat(), LAST: today.isoformat()} | self.checked(params)
        if query[FIRST] > query[LAST]:
            message = f"{FIRST} {query[FIRST]} is after {LAST} {query[LAST]}"
            raise PermanentError(message)
        announced = _counted(query, fetch)
        windows = tuple(_divide(query, announced.total_count, fetch))
        parts = tuple(Part(window, rows, ceil(rows / announced.page_size)) for window, rows in windows)
        return Plan(parts, sum(part.rows for part in parts))

    def request(self, params: Params, page: int) -> Request:  # noqa: ARG002 - a page is where its token points
        """The first page of a part, or that which the token in `params` leads to.

        The API chooses the size of its pages: it documents no parameter for that any more, and refuses unknown ones.
        """
        return Request(ApiSettings().base_url.rstrip("/") + "/api/historicjoa", dict(params), {})

    def check_page(self, payload: object) -> PageCounts:
        """Its window's rows and pages, as the API announces them now."""
        announced = _metadata(payload)
        records = record_list(payload, ("data",), announced.total_count)
        _next_token(payload)
        return PageCounts(len(records), announced.total_count, ceil(announced.total_count / announced.page_size))

    def following(self, params: Params, page: ReceivedPage) -> dict[str, str] | None:
        """The part's params and the token of the page after this one; None after the last."""
        token = _next_token(page.payload)
        return None if token is None else {**params, TOKEN: token}


def _next_token(payload: object) -> str | None:
    """The token from the link, where it is encoded once: `metadata.continuationToken` comes already encoded.

    Raises UnexpectedAnswerError for a payload without a link that is null or has a token.
    """
    try:
        link = payload["paging"]["next"]  # type: ignore[index]
        if link is None or not link.strip():
            return None
        parameters: dict[str, str] = {name.lower(): value for name, value in parse_qsl(urlsplit(link).query)}
        return parameters[TOKEN]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = "USAJOBS answered without a paging.next that says what follows"
        raise UnexpectedAnswerError(message) from error


def _divide(query: dict[str, str], rows: int, fetch: Fetch) -> Iterator[tuple[dict[str, str], int]]:
    """Queries for windows that are not empty, and their rows."""
    if rows <= MOST_ROWS or query[FIRST] == query[LAST]:
        if rows:
            yield query, rows
        return
    earlier, later = _halves(query)
    before = _counted(earlier, fetch).total_count
    # What is not in one half is in the other, which saves every second request. But if nothing seems left, ask: a
    # posting that was added to the earlier half just now must not hide the later one.
    after = rows - before if before < rows else _counted(later, fetch).total_count
    yield from _divide(earlier, before, fetch)
    yield from _divide(later, after, fetch)


def _counted(query: Params, fetch: Fetch) -> Metadata:
    answer = fetch(SOURCE.request(query, 1))
    if answer is None:  # the API answers 204 where it finds nothing
        return NOTHING
    return _metadata(answer)


def _metadata(answer: object) -> Metadata:
    try:
        return Metadata.model_validate(answer["paging"]["metadata"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError) as error:
        message = "USAJOBS answered without paging.metadata that has a totalCount and a pageSize"
        raise UnexpectedAnswerError(message) from error


def _halves(query: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    first, last = date.fromisoformat(query[FIRST]), date.fromisoformat(query[LAST])
    middle = first + (last - first) // 2
    return {**query, LAST: middle.isoformat()}, {**query, FIRST: (middle + timedelta(days=1)).isoformat()}


def _day(name: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        message = f"{name} {value!r} is not a date: YYYY-MM-DD"
        raise PermanentError(message) from error


SOURCE = HistoricSource()
NOTHING = Metadata(totalCount=0, pageSize=1)
