"""Planning and paging a run of the Historic JOA API against openings in memory."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.datasets.catalog.usajobs_historic import ARCHIVE_BEGINS, MOST_ROWS, SOURCE
from shared.datasets.source import PageCounts, Plan, ReceivedPage, Request, SequentialSource, UnexpectedAnswerError
from shared.errors import PermanentError

START, END = "StartPositionOpenDate", "EndPositionOpenDate"
FIRST = date(2020, 1, 1)
EVERYTHING: dict[str, str] = {}


@dataclass
class Archive:
    """How many postings opened on which day, and the requests that were made about them."""

    opened: Counter[date]
    page_size: int = 1000
    requests: list[Request] = field(default_factory=list)

    def fetch(self, request: Request) -> object:
        """Answer as the API: with the count of a window, and nothing at all where it is empty."""
        self.requests.append(request)
        found = self.rows(request.params)
        metadata = {"totalCount": found, "pageSize": self.page_size, "continuationToken": None}
        return {"paging": {"metadata": metadata, "next": None}, "data": []} if found else None

    def rows(self, query: dict[str, str]) -> int:
        """Postings that opened within a query's dates, both included."""
        first, last = date.fromisoformat(query[START]), date.fromisoformat(query[END])
        return sum(rows for day, rows in self.opened.items() if first <= day <= last)


def archive(rows: Iterable[int], page_size: int = 1000) -> Archive:
    """An archive with so many openings a day."""
    return Archive(Counter({FIRST + timedelta(days=n): count for n, count in enumerate(rows)}), page_size)


def days(plan: Plan) -> list[date]:
    """Every day of every part's window."""
    windows = [(date.fromisoformat(part.params[START]), date.fromisoformat(part.params[END])) for part in plan.parts]
    return [first + timedelta(days=n) for first, last in windows for n in range((last - first).days + 1)]


def test_it_is_a_source_whose_pages_follow_one_another() -> None:
    assert isinstance(SOURCE, SequentialSource)


def test_a_run_that_fits_is_one_part_and_one_request() -> None:
    source = archive([MOST_ROWS])
    plan = SOURCE.plan({START: "2020-01-01", END: "2020-12-31"}, source.fetch)
    expected = [({START: "2020-01-01", END: "2020-12-31"}, MOST_ROWS, 30)]
    assert [(part.params, part.rows, part.pages) for part in plan.parts] == expected
    assert plan.expected_records == MOST_ROWS
    assert len(source.requests) == 1


@pytest.mark.parametrize(
    ("rows", "page_size", "pages"), [(1, 1000, 1), (1000, 1000, 1), (1001, 1000, 2), (1001, 500, 3)]
)
def test_pages_are_as_large_as_the_api_says(rows: int, page_size: int, pages: int) -> None:
    assert SOURCE.plan(EVERYTHING, archive([rows], page_size).fetch).parts[0].pages == pages


def test_a_run_too_large_is_halved_until_each_part_is_small() -> None:
    plan = SOURCE.plan({START: "2020-01-01", END: "2020-01-04"}, archive([MOST_ROWS, 1, 2, 3]).fetch)
    assert [(part.params[START], part.params[END], part.rows) for part in plan.parts] == [
        ("2020-01-01", "2020-01-01", MOST_ROWS),
        ("2020-01-02", "2020-01-02", 1),
        ("2020-01-03", "2020-01-04", 5),
    ]
    assert plan.expected_records == MOST_ROWS + 6


def test_a_single_day_is_never_divided() -> None:
    plan = SOURCE.plan({START: "2020-01-01", END: "2020-01-02"}, archive([3 * MOST_ROWS, 1]).fetch)
    assert [(part.params[START], part.rows, part.pages) for part in plan.parts] == [
        ("2020-01-01", 3 * MOST_ROWS, 90),
        ("2020-01-02", 1, 1),
    ]


@settings(max_examples=60)
@given(st.lists(st.sampled_from([0, 0, 1, 9_999, 29_999, 30_000, 30_001, 100_000]), min_size=1, max_size=40))
def test_the_parts_cover_each_day_with_openings_once_and_count_it_right(rows: list[int]) -> None:
    source = archive(rows)
    plan = SOURCE.plan({START: "2019-06-01", END: "2020-06-01"}, source.fetch)
    covered = days(plan)
    assert len(covered) == len(set(covered))
    assert {day for day, count in source.opened.items() if count} <= set(covered)
    assert all(part.rows == source.rows(part.params) > 0 for part in plan.parts)
    assert plan.expected_records == sum(part.rows for part in plan.parts) == sum(rows)


def test_three_million_postings_are_hundreds_of_parts_and_hardly_more_requests() -> None:
    random, years = Random(1), range(365 * 9)
    source = archive([random.randrange(300) if n % 7 > 4 else 800 + random.randrange(900) for n in years])
    plan = SOURCE.plan({START: ARCHIVE_BEGINS.isoformat(), END: "2028-12-31"}, source.fetch)
    assert plan.expected_records > 2_850_000
    assert 100 <= len(plan.parts) <= 300
    assert len(source.requests) <= len(plan.parts) + 20


def test_a_run_of_nothing_has_no_parts() -> None:
    plan = SOURCE.plan(EVERYTHING, archive([]).fetch)
    assert (plan.parts, plan.expected_records) == ((), 0)


def test_a_posting_added_while_counting_does_not_hide_the_later_half() -> None:
    source = archive([MOST_ROWS, 0, 0, 1])

    def fetch(request: Request) -> object:
        answer = source.fetch(request)
        source.opened[FIRST] = MOST_ROWS + 1  # added after the first count
        return answer

    plan = SOURCE.plan({START: "2020-01-01", END: "2020-01-04"}, fetch)
    assert ("2020-01-03", "2020-01-04", 1) in [(p.params[START], p.params[END], p.rows) for p in plan.parts]


def test_without_dates_the_parts_say_which_days_the_whole_archive_had() -> None:
    before = datetime.now(UTC).date()
    part = SOURCE.plan(EVERYTHING, archive([1]).fetch).parts[0]
    assert part.params[START] == ARCHIVE_BEGINS.isoformat()
    assert before <= date.fromisoformat(part.params[END]) <= datetime.now(UTC).date()


def test_other_filters_go_into_every_request_and_part() -> None:
    source = archive([MOST_ROWS, MOST_ROWS])
    plan = SOURCE.plan({"position_series": "2210", "hiring_agency_codes": "XX01"}, source.fetch)
    filters = {"PositionSeries": "2210", "HiringAgencyCodes": "XX01"}
    assert len(plan.parts) == 2
    assert all(filters.items() <= part.params.items() for part in plan.parts)
    assert all(filters.items() <= request.params.items() for request in source.requests)


def test_nothing_but_documented_parameters_is_sent() -> None:
    source = archive([MOST_ROWS, MOST_ROWS])
    plan = SOURCE.plan(EVERYTHING, source.fetch)
    requests = [*source.requests, *(SOURCE.request(part.params, 1) for part in plan.parts)]
    assert {name for request in requests for name in request.params} == {START, END}
    assert all(request.headers == {} for request in requests)


def test_snake_case_and_the_api_s_spelling_are_the_same() -> None:
    spelled = {"USAJOBSControlNumbers": "1;2", "StartPositionCloseDate": "2020-01-01", END: "2020-02-01"}
    given = {
        "usajobs_control_numbers": "1;2",
        "start_position_close_date": "20200101",
        "end_position_open_date": "2020-02-01",
    }
    assert SOURCE.checked(given) == SOURCE.checked(spelled) == spelled


@pytest.mark.parametrize("name", ["colour", "PageSize", "page_number", "continuationtoken", ""])
def test_an_unknown_parameter_is_refused_by_its_name_with_those_that_are_known(name: str) -> None:
    with pytest.raises(PermanentError, match=f"unknown parameter '{name}'; .*EndPositionOpenDate.*PositionSeries"):
        SOURCE.plan({name: "x", "PositionSeries": "2210"}, archive([1]).fetch)


def test_a_parameter_given_in_both_spellings_is_refused() -> None:
    with pytest.raises(PermanentError, match="twice"):
        SOURCE.checked({"PositionSeries": "0801", "position_series": "2210"})


@pytest.mark.parametrize("name", [START, END, "start_position_close_date", "EndPositionCloseDate"])
@pytest.mark.parametrize("value", ["01-31-2020", "2020-02-30", "yesterday", ""])
def test_what_is_no_date_is_refused_before_anything_is_asked(name: str, value: str) -> None:
    with pytest.raises(PermanentError, match=r"Position(Open|Close)Date .* is not a date: YYYY-MM-DD"):
        SOURCE.checked({name: value})


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(PermanentError, match="2020-01-02 is after EndPositionOpenDate 2020-01-01"):
        SOURCE.plan({START: "2020-01-02", END: "2020-01-01"}, archive([1]).fetch)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"paging": None},
        {"paging": {"metadata": {}}},
        {"paging": {"metadata": {"totalCount": "x", "pageSize": 1000}}},
        {"paging": {"metadata": {"totalCount": -1, "pageSize": 1000}}},
        {"paging": {"metadata": {"totalCount": 1, "pageSize": 0}}},
    ],
)
def test_an_answer_without_the_counts_is_refused(answer: object) -> None:
    with pytest.raises(UnexpectedAnswerError, match="totalCount"):
        SOURCE.plan(EVERYTHING, lambda _: answer)


# Pages


def test_a_request_goes_to_the_configured_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_BASE_URL", "https://api.test/")
    request = SOURCE.request({START: "2020-01-01"}, page=1)
    assert (request.url, request.params) == ("https://api.test/api/historicjoa", {START: "2020-01-01"})


def test_without_an_address_the_real_api_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_BASE_URL", "")
    assert SOURCE.request({}, page=1).url == "https://data.usajobs.gov/api/historicjoa"


def received(payload: object) -> ReceivedPage:
    """A page of the API."""
    return ReceivedPage(SOURCE.request({}, page=1), {}, payload)


def test_the_next_page_is_asked_for_with_the_token_of_the_link_decoded_once() -> None:
    payload = {
        "paging": {
            "metadata": {"totalCount": 2000, "pageSize": 1000, "continuationToken": "a%2Bb%3D%3D"},
            "next": "/api/historicjoa?ContinuationToken=a%2Bb%3D%3D&hiringagencycodes=XX01",
        }
    }
    part = {START: "2020-01-01", END: "2020-01-31"}
    assert SOURCE.following(part, received(payload)) == {**part, "continuationtoken": "a+b=="}
    assert part == {START: "2020-01-01", END: "2020-01-31"}


@pytest.mark.parametrize("link", [None, "", " "])
def test_after_the_last_page_nothing_follows(link: str | None) -> None:
    assert SOURCE.following({}, received({"paging": {"next": link}})) is None


@pytest.mark.parametrize(
    "payload",
    [
        None,
        1,
        "text",
        [],
        {},
        {"paging": None},
        {"paging": {}},
        {"paging": {"next": 1}},
        {"paging": {"next": "/api/historicjoa"}},
        {"paging": {"next": "/api/historicjoa?continuationtoken="}},
        {"paging": {"next": "https://[/?continuationtoken=a"}},
    ],
)
def test_a_payload_that_does_not_say_what_follows_is_refused(payload: object) -> None:
    with pytest.raises(UnexpectedAnswerError, match=r"paging\.next"):
        SOURCE.following({}, received(payload))


def answer(total: int, **more: object) -> dict[str, object]:
    return {"paging": {"metadata": {"totalCount": total, "pageSize": 1000}, "next": None}} | more


def test_a_page_says_how_many_rows_and_pages_its_window_has() -> None:
    assert SOURCE.check_page(answer(2001, data=[{}, {}])) == PageCounts(2, rows=2001, pages=3)


@pytest.mark.parametrize("more", [{}, {"data": None}, {"data": []}])
def test_without_rows_a_page_needs_no_list(more: dict[str, object]) -> None:
    assert SOURCE.check_page(answer(0, **more)) == PageCounts(0, rows=0, pages=0)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {"Message": "An error has occurred."},
        answer(1),
        answer(1, data=None),
        answer(0, data={}),
        answer(1, data=[{}]) | {"paging": {"metadata": {"totalCount": 1, "pageSize": 1000}}},
    ],
)
def test_what_is_no_page_is_told(payload: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        SOURCE.check_page(payload)
