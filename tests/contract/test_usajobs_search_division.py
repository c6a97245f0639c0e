"""A run larger than one query may answer, planned over HTTP against the simulator: every posting is in some part."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from infra.embedded.simulator.market import Market
from services.extractor.fetch import client, fetch
from shared.datasets import registry
from shared.datasets.source import Request

POSTINGS = 11_500


@pytest.fixture(scope="module")
def day() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture(scope="module")
def api(day: str) -> Iterator[str]:
    """The address of a simulator with more postings than one query answers."""
    arguments = ["--port", "0", "--postings", str(POSTINGS), "--api-key", "key", "--day", day]
    with subprocess.Popen(
        [sys.executable, "-m", "infra.embedded.simulator", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


def test_a_run_of_more_than_10000_postings_is_divided_and_covers_them_all(
    api: str, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_BASE_URL", api)
    monkeypatch.setenv("SMELT_USAJOBS_API_KEY", "key")
    monkeypatch.setenv("SMELT_USAJOBS_USER_AGENT", "me@example.org")
    source = registry.dataset("usajobs_search").source
    with client() as http:

        def ask(request: Request) -> object:
            return orjson.loads(fetch(http, request, 1 << 27).body)

        plan = source.plan({}, ask)
        seen: set[str] = set()
        for part in plan.parts:
            on_pages: list[str] = []
            for page in range(1, part.pages + 1):
                answer = ask(source.request(part.params, page))
                items = answer["SearchResult"]["SearchResultItems"]  # type: ignore[index]
                on_pages += [item["MatchedObjectId"] for item in items]
            assert len(on_pages) == part.rows
            seen.update(on_pages)

    everything = set(Market(1, POSTINGS).open_postings(datetime.fromisoformat(day).date()))
    assert plan.expected_records == len(everything) > 10_000
    assert all(part.rows < 10_000 for part in plan.parts)
    assert len(plan.parts) > 1
    assert {int(number) for number in seen} == {int(number) for number in everything}


def test_one_query_alone_would_have_missed_some(api: str) -> None:
    headers = {"Authorization-Key": "key", "User-Agent": "me@example.org"}
    answer = httpx.get(f"{api}/api/Search", params={"ResultsPerPage": 500, "Page": 21}, headers=headers).json()
    assert answer["SearchResult"]["SearchResultItems"] == []
