"""A simulated job market that tests of it share, and what may be asked of it."""

from datetime import date, timedelta
from typing import Any

import orjson

from infra.embedded.simulator import historic, search
from infra.embedded.simulator.market import Market
from infra.embedded.simulator.parameters import Parameters

DAY = date(2025, 9, 3)
NEXT_DAY = DAY + timedelta(days=1)
MARKET = Market(seed=1, size=3000)
ITEMS = [orjson.loads(MARKET.encoded(posting, DAY)) for posting in MARKET.open_on(DAY)]
DESCRIPTORS = [item["MatchedObjectDescriptor"] for item in ITEMS]
BY_NUMBER = {item["MatchedObjectId"]: item["MatchedObjectDescriptor"] for item in ITEMS}
DETAILS = [descriptor["UserArea"]["Details"] for descriptor in DESCRIPTORS]


def found(**parameters: str) -> list[dict[str, Any]]:
    """The descriptors that a search finds, all pages at once."""
    query = search.parse(Parameters(parameters.items()))
    return [BY_NUMBER[posting.control_number] for posting in search.matches(MARKET, DAY, query)]


def searched(**parameters: str) -> dict[str, Any]:
    """The SearchResult of one page."""
    result: dict[str, Any] = orjson.loads(search.answer(MARKET, DAY, search.parse(Parameters(parameters.items()))))
    return dict(result["SearchResult"])


def history(parameters: dict[str, str], market: Market = MARKET) -> dict[str, Any]:
    """One page of HistoricJoa."""
    body: dict[str, Any] = orjson.loads(historic.answer(market, DAY, Parameters(parameters.items())))
    return body
