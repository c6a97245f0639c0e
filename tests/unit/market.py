"""A simulated job market that tests of it share, and what may be asked of it."""

from datetime import date, timedelta
from functools import cache
from typing import Any

import orjson

from infra.embedded.simulator import historic, search
from infra.embedded.simulator.market import Market
from infra.embedded.simulator.parameters import Parameters

DAY = date(2025, 9, 3)
NEXT_DAY = DAY + timedelta(days=1)
SIZE = 1_500  # postings: one has over a thousand duty stations, and all fit the cache of encoded ones
MARKET = Market(seed=1, size=SIZE)


@cache
def open_items() -> list[dict[str, Any]]:
    """Of every posting what Search returns."""
    return [orjson.loads(MARKET.encoded(posting, DAY)) for posting in MARKET.open_on(DAY)]


@cache
def open_descriptors() -> list[dict[str, Any]]:
    """The descriptors of these."""
    return [item["MatchedObjectDescriptor"] for item in open_items()]


@cache
def open_details() -> list[dict[str, Any]]:
    """The details of these."""
    return [descriptor["UserArea"]["Details"] for descriptor in open_descriptors()]


def found(**parameters: str) -> list[dict[str, Any]]:
    """The descriptors that a search finds, all pages at once."""
    query = search.parse(Parameters(parameters.items()))
    numbered = {item["MatchedObjectId"]: item["MatchedObjectDescriptor"] for item in open_items()}
    return [numbered[posting.control_number] for posting in search.matches(MARKET, DAY, query)]


def searched(**parameters: str) -> dict[str, Any]:
    """The SearchResult of one page."""
    result: dict[str, Any] = orjson.loads(search.answer(MARKET, DAY, search.parse(Parameters(parameters.items()))))
    return dict(result["SearchResult"])


def history(parameters: dict[str, str], market: Market = MARKET) -> dict[str, Any]:
    """One page of HistoricJoa."""
    body: dict[str, Any] = orjson.loads(historic.answer(market, DAY, Parameters(parameters.items())))
    return body
