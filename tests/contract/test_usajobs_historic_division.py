"""A back-fill planned and paged through over HTTP against the simulator: every posting is on exactly one page."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date

import orjson
import pytest

from infra.embedded.simulator.market import Market
from infra.embedded.simulator.posting import number_of
from services.extractor.fetch import client, fetch
from shared.datasets import registry
from shared.datasets.source import Part, ReceivedPage, Request, SequentialSource

POSTINGS = 66_000  # 2,000 open each day
DAY = "2020-03-01"
MARKET = Market(1, POSTINGS)

Ask = Callable[[Request], object]


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """The address of a simulator."""
    arguments = ["--port", "0", "--postings", str(POSTINGS), "--day", DAY]
    with subprocess.Popen(
        [sys.executable, "-m", "infra.embedded.simulator", *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
def ask(api: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Sends a request of the source's and gives the decoded answer."""
    monkeypatch.setenv("SMELT_USAJOBS_BASE_URL", api)
    with client() as http:
        yield lambda request: orjson.loads(fetch(http, request, 1 << 27).body)


@pytest.fixture
def source() -> SequentialSource:
    """The source as the engine finds it."""
    found = registry.dataset("usajobs_historic").source
    assert isinstance(found, SequentialSource)
    return found


def pages(source: SequentialSource, part: Part, ask: Ask) -> Iterator[list[int]]:
    """The control numbers on each page of a part, fetched as the engine does."""
    params: dict[str, str] | None = dict(part.params)
    page = 1
    while params is not None:
        request = source.request(params, page)
        payload = ask(request)
        yield [record["usajobsControlNumber"] for record in payload["data"]]  # type: ignore[index]
        params, page = source.following(part.params, ReceivedPage(request, {}, payload)), page + 1


def test_a_back_fill_is_divided_and_its_pages_hold_every_posting_once(source: SequentialSource, ask: Ask) -> None:
    window = {"start_position_open_date": "2020-02-01", "end_position_open_date": "2020-02-20"}
    plan = source.plan(window, ask)
    numbers: list[int] = []
    for part in plan.parts:
        found = list(pages(source, part, ask))
        assert len(found) == part.pages
        assert sum(map(len, found)) == part.rows <= 30_000
        numbers += [number for page in found for number in page]
    opened = MARKET.opened(date(2020, 2, 1), date(2020, 2, 20))
    assert len(plan.parts) == 2
    assert plan.expected_records == len(numbers) == len(opened) == 40_000
    assert {number_of(str(number)) for number in numbers} == set(opened)


def test_a_filter_holds_on_every_page(source: SequentialSource, ask: Ask) -> None:
    window = {"StartPositionOpenDate": "2020-02-01", "EndPositionOpenDate": "2020-02-03"}
    anything = ask(source.request(window, 1))
    code = anything["data"][0]["hiringDepartmentCode"]  # type: ignore[index]
    plan = source.plan({**window, "HiringDepartmentCodes": code}, ask)
    found = [number for part in plan.parts for page in pages(source, part, ask) for number in page]
    expected = [n for n in MARKET.opened(date(2020, 2, 1), date(2020, 2, 3)) if department(n) == code]
    assert plan.expected_records == len(found) == len(expected) > 0
    assert {number_of(str(number)) for number in found} == set(expected)


def department(number: int) -> str:
    """The department that a posting of the simulator is of."""
    return MARKET.read(number).agency.department


def test_a_window_in_which_nothing_opened_has_no_parts(source: SequentialSource, ask: Ask) -> None:
    plan = source.plan({"StartPositionOpenDate": "2016-01-01", "EndPositionOpenDate": "2016-12-31"}, ask)
    assert (plan.parts, plan.expected_records) == ((), 0)
