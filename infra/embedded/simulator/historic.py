"""GET /api/HistoricJoa: every posting that ever opened, without its texts, on pages that follow a token."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final
from urllib.parse import urlencode

import orjson

from infra.embedded.simulator.market import HISTORY_BEGINS, LONGEST, Market
from infra.embedded.simulator.parameters import BadParameterError, Parameters
from infra.embedded.simulator.posting import Posting, number_of
from infra.embedded.simulator.record import record

MOST_PER_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Query:
    """What a posting must match; days are the first and the last."""

    agencies: frozenset[str]
    departments: frozenset[str]
    series: frozenset[str]
    announcements: frozenset[str]
    control_numbers: frozenset[str]
    opened: tuple[date, date]
    closed: tuple[date, date] | None


def parse(parameters: Parameters, day: date) -> Query:
    """The query. Raises BadParameterError."""
    closed = parameters.day("StartPositionCloseDate"), parameters.day("EndPositionCloseDate")
    return Query(
        agencies=parameters.listed("HiringAgencyCodes"),
        departments=parameters.listed("HiringDepartmentCodes"),
        series=parameters.listed("PositionSeries"),
        announcements=parameters.listed("AnnouncementNumbers"),
        control_numbers=parameters.listed("USAJOBSControlNumbers"),
        opened=(
            parameters.day("StartPositionOpenDate") or HISTORY_BEGINS,
            min(parameters.day("EndPositionOpenDate") or day, day),
        ),
        closed=(closed[0] or HISTORY_BEGINS, closed[1] or date.max) if any(closed) else None,
    )


def answer(market: Market, day: date, parameters: Parameters) -> bytes:
    """The response body. Raises BadParameterError, also for a token that was never given out."""
    size = min(parameters.whole("PageSize", MOST_PER_PAGE, low=1), MOST_PER_PAGE)
    found = _found(market, day, parse(parameters, day))
    start = bisect_right(found, _after(parameters.text("continuationtoken")))
    shown = found[start : start + size]
    token = _token(shown[-1]) if start + size < len(found) else None
    following = f"/api/historicjoa?{urlencode(parameters.replaced('continuationtoken', token))}" if token else None
    metadata = {"totalCount": len(found), "pageSize": size, "continuationToken": token}
    records = [record(market.read(number), day) for number in shown]
    return orjson.dumps({"paging": {"metadata": metadata, "next": following}, "data": records})


@lru_cache(maxsize=4)  # the pages of one query are asked for one after another
def _found(market: Market, day: date, query: Query) -> Sequence[int]:
    """The numbers of all that match, ascending. Without a filter beyond the open dates it is a range, for free."""
    opened_first, opened_last = query.opened
    if query.closed:
        opened_first = max(opened_first, max(query.closed[0], HISTORY_BEGINS) - timedelta(days=LONGEST))
        opened_last = min(opened_last, query.closed[1])
    numbers: Sequence[int] = market.opened(opened_first, opened_last)
    if query.control_numbers:
        named = {number_of(value) for value in query.control_numbers if value.isascii() and value.isdigit()}
        numbers = sorted(number for number in named if number in numbers)
    tests = list(_tests(day, query))
    if not tests:
        return numbers
    return [n for n in numbers for posting in [market.read(n)] if all(test(posting) for test in tests)]


def _tests(day: date, query: Query) -> Iterator[Callable[[Posting], bool]]:
    if query.agencies:
        yield lambda posting: posting.agency.code in query.agencies
    if query.departments:
        yield lambda posting: posting.agency.department in query.departments
    if query.series:
        yield lambda posting: any(series.code in query.series for series in posting.series)
    if query.announcements:
        yield lambda posting: posting.announcement_number in query.announcements
    if (closed := query.closed) is not None:
        yield lambda posting: closed[0] <= posting.deadline_on(day) <= closed[1]


def _token(number: int) -> str:
    return urlsafe_b64encode(f"after:{number}".encode()).decode()


def _after(token: str) -> int:
    """The number that the page before ended with; -1 for the first page."""
    if not token:
        return -1
    try:
        word, _, number = urlsafe_b64decode(token).decode().partition(":")
        if word == "after":
            return int(number)
    except ValueError:  # also what is not base64, not UTF-8 or no number
        pass
    message = "continuationtoken is not one of this API's"
    raise BadParameterError(message)
