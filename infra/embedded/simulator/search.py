"""GET /api/Search: which open postings match, and one page of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from infra.embedded.simulator import announcement, places
from infra.embedded.simulator.market import Market
from infra.embedded.simulator.parameters import Parameters
from infra.embedded.simulator.posting import Posting

MOST_ROWS: Final = 10_000  # of one query; what lies beyond can be counted but not fetched
MOST_PER_PAGE: Final = 500

Test = Callable[[Posting], bool]


@dataclass(frozen=True, slots=True)
class Query:
    """The page asked for, and what a posting must match. `radius` is in miles."""

    page: int
    per_page: int
    keywords: tuple[str, ...]
    title: str
    series: frozenset[str]
    organizations: tuple[str, ...]
    posted_within: int | None
    location_names: tuple[str, ...]
    radius: int


def parse(parameters: Parameters) -> Query:
    """The query. Raises BadParameterError."""
    return Query(
        page=parameters.whole("Page", 1, low=1),
        per_page=min(parameters.whole("ResultsPerPage", 25, low=1), MOST_PER_PAGE),
        keywords=tuple(parameters.text("Keyword").lower().split()),
        title=parameters.text("PositionTitle").lower(),
        series=parameters.listed("JobCategoryCode"),
        organizations=tuple(sorted(parameters.listed("Organization"))),
        posted_within=parameters.whole("DatePosted", 0, low=0, high=60) if parameters.text("DatePosted") else None,
        location_names=tuple(name.strip() for name in parameters.text("LocationName").split(";") if name.strip()),
        radius=parameters.whole("Radius", 0, low=0),
    )


def answer(market: Market, day: date, query: Query) -> bytes:
    """The response body."""
    found = matches(market, day, query)
    start = (query.page - 1) * query.per_page
    shown = found[start : min(start + query.per_page, MOST_ROWS)]
    body = {
        "LanguageCode": "EN",
        "SearchParameters": {},
        "SearchResult": {
            "SearchResultCount": len(shown),
            "SearchResultCountAll": len(found),
            "SearchResultItems": [orjson.Fragment(market.encoded(posting, day)) for posting in shown],
            "UserArea": _user_area(query, pages=-(-len(found) // query.per_page)),
        },
    }
    return orjson.dumps(body)


def matches(market: Market, day: date, query: Query) -> list[Posting]:
    """All open postings that pass every test, newest first."""
    tests = list(_tests(market, day, query))
    return [posting for posting in market.open_on(day) if all(test(posting) for test in tests)]


def _user_area(query: Query, pages: int) -> dict[str, Any]:
    resolved = [places.GAZETTEER[place].name for name in query.location_names for place in _city(name)]
    area: dict[str, Any] = {"NumberOfPages": str(pages), "IsRadialSearch": bool(query.radius and resolved)}
    return area | {"ResolvedLocation": resolved} if resolved else area


def _tests(market: Market, day: date, query: Query) -> Iterator[Test]:
    """The tests asked for, cheapest first."""
    if query.posted_within is not None:
        since = day - timedelta(days=query.posted_within)
        yield lambda posting: posting.life.opens >= since
    if query.series:
        yield lambda posting: any(series.code in query.series for series in posting.series)
    if query.organizations:
        yield lambda posting: posting.agency.code.startswith(query.organizations)
    if query.location_names:
        wanted = frozenset[int]().union(*(_around(name, query.radius) for name in query.location_names))
        yield lambda posting: not wanted.isdisjoint(posting.places)
    if query.title:
        yield lambda posting: query.title in posting.title_on(day).lower()
    if query.keywords:
        yield lambda posting: _mentions(market, posting, day, query.keywords)


def _city(name: str) -> frozenset[int]:
    found = places.named(name)
    return found if len(found) == 1 else frozenset()


@lru_cache(maxsize=256)
def _around(name: str, radius: int) -> frozenset[int]:
    return places.named(name) | places.within(_city(name), radius)


def _mentions(market: Market, posting: Posting, day: date, words: tuple[str, ...]) -> bool:
    summary = announcement.summary(market.texts(posting.number))
    searched = f"{posting.title_on(day)} {summary} {posting.agency.name} {posting.agency.department_name}".lower()
    return all(word in searched for word in words)
