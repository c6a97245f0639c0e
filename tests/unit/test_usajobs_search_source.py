"""Planning a run of the Search API against postings in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from shared.datasets.catalog.usajobs_search import ROWS_PER_QUERY, SOURCE
from shared.datasets.source import PageCounts, Request, UnexpectedAnswerError
from shared.errors import PermanentError

KEY, EMAIL = "an-api-key", "someone@example.com"
EVERYTHING: dict[str, str] = {}


@dataclass(frozen=True)
class Posting:
    """What the queries of a plan can tell postings by."""

    number: int
    organization: str
    series: tuple[str, ...]
    keyword: str = "any"

    def matches(self, query: Mapping[str, str]) -> bool:
        """As the API: a department's code finds its agencies' postings too."""
        return (
            self.organization.startswith(query.get("Organization", ""))
            and query.get("JobCategoryCode", self.series[0]) in self.series
            and query.get("Keyword", self.keyword) == self.keyword
        )


@dataclass
class Market:
    """Postings, and the requests that were made about them."""

    postings: list[Posting]
    requests: list[Request] = field(default_factory=list)
    disabled: tuple[str, ...] = ()

    def fetch(self, request: Request) -> object:
        """Answer a search with its count, or a code list."""
        self.requests.append(request)
        name = request.url.rpartition("/")[2]
        if name == "Search":
            return {"SearchResult": {"SearchResultCountAll": str(len(self.found(request.params)))}}
        codes = {
            "agencysubelements": {p.organization for p in self.postings},
            "occupationalseries": {series for p in self.postings for series in p.series},
        }[name]
        values = [{"Code": code, "IsDisabled": "No"} for code in codes]
        return {"CodeList": [{"ValidValue": values + [{"Code": c, "IsDisabled": "Yes"} for c in self.disabled]}]}

    def found(self, query: Mapping[str, str]) -> set[int]:
        """Numbers of the postings that a query finds."""
        return {p.number for p in self.postings if p.matches(query)}


def market(size: int, organizations: int = 3, series: int = 40) -> Market:
    """Postings spread evenly over organisations, each of two series."""
    return Market(
        [Posting(n, f"A{n % organizations}", (f"{n % series:04d}", f"{(n + 1) % series:04d}")) for n in range(size)]
    )


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_API_KEY", KEY)
    monkeypatch.setenv("SMELT_USAJOBS_USER_AGENT", EMAIL)
    monkeypatch.setenv("SMELT_USAJOBS_BASE_URL", "https://api.test/")


def test_a_run_that_fits_is_one_part_with_all_its_pages() -> None:
    plan = SOURCE.plan(EVERYTHING, market(9999).fetch)
    assert [(part.params, part.rows, part.pages) for part in plan.parts] == [({}, 9999, 20)]
    assert plan.expected_records == 9999


@pytest.mark.parametrize(("rows", "pages"), [(1, 1), (500, 1), (501, 2)])
def test_the_last_page_may_be_part_full(rows: int, pages: int) -> None:
    assert SOURCE.plan(EVERYTHING, market(rows).fetch).parts[0].pages == pages


def test_a_run_of_nothing_has_no_parts() -> None:
    plan = SOURCE.plan({"keyword": "nothing like it"}, market(100).fetch)
    assert (plan.parts, plan.expected_records) == ((), 0)


@pytest.mark.parametrize(
    ("size", "organizations", "divided_by"),
    [
        pytest.param(10_000, 3, {("Organization",)}, id="exactly the most a query yields"),
        pytest.param(12_000, 3, {("Organization",)}, id="by organisation"),
        pytest.param(25_000, 2, {("JobCategoryCode", "Organization")}, id="by organisation, then by series"),
    ],
)
def test_a_run_too_large_is_divided_until_each_part_fits_and_none_is_left_out(
    size: int, organizations: int, divided_by: set[tuple[str, ...]]
) -> None:
    source = market(size, organizations)
    plan = SOURCE.plan(EVERYTHING, source.fetch)
    assert {tuple(sorted(part.params)) for part in plan.parts} == divided_by
    assert all(part.rows == len(source.found(part.params)) < ROWS_PER_QUERY for part in plan.parts)
    assert set().union(*(source.found(part.params) for part in plan.parts)) == source.found({})
    assert plan.expected_records == size


def test_a_part_of_nothing_is_left_out() -> None:
    source = market(10_000)
    source.postings.append(Posting(-1, "ZZ", ("9999",), keyword="another"))
    plan = SOURCE.plan({"Keyword": "any"}, source.fetch)
    assert {part.params["Organization"] for part in plan.parts} == {"A0", "A1", "A2"}


def test_an_agency_whose_department_is_asked_for_is_not_asked_for_again() -> None:
    source = Market([Posting(n, "AF" if n % 2 else "AF1M", ("0801",)) for n in range(4000)])
    source.postings.extend(Posting(n, "NV", ("0801",)) for n in range(4000, 10_000))
    plan = SOURCE.plan(EVERYTHING, source.fetch)
    assert [(part.params["Organization"], part.rows) for part in plan.parts] == [("AF", 4000), ("NV", 6000)]


def test_a_code_that_is_disabled_is_not_asked_for() -> None:
    source = market(10_000)
    source.disabled = ("OLD1",)
    SOURCE.plan(EVERYTHING, source.fetch)
    assert "OLD1" not in {request.params.get("Organization") for request in source.requests}


def test_a_run_of_one_organisation_is_divided_by_series() -> None:
    source = market(22_000, organizations=2)
    plan = SOURCE.plan({"organization": "A1"}, source.fetch)
    assert {part.params["Organization"] for part in plan.parts} == {"A1"}
    assert set().union(*(source.found(part.params) for part in plan.parts)) == source.found({"Organization": "A1"})


def test_what_cannot_be_divided_further_is_fetched_as_far_as_it_goes_and_announced_in_full() -> None:
    source = Market([Posting(n, "A1", ("0801",)) for n in range(10_300)])
    plan = SOURCE.plan(EVERYTHING, source.fetch)
    assert [(part.rows, part.pages) for part in plan.parts] == [(10_000, 20)]
    assert plan.expected_records == 10_300


def test_snake_case_and_the_api_s_spelling_are_the_same() -> None:
    spelled = {"JobCategoryCode": "0801", "Keyword": "engineer", "LocationName": "Boston"}
    assert SOURCE.checked({"job_category_code": "0801", "keyword": "engineer", "location_name": "Boston"}) == spelled
    assert SOURCE.checked(spelled) == spelled


@pytest.mark.parametrize("name", ["colour", "Page", "ResultsPerPage", "Fields", ""])
def test_an_unknown_parameter_is_refused_by_its_name_with_those_that_are_known(name: str) -> None:
    with pytest.raises(PermanentError, match=f"unknown parameter '{name}'; .*Keyword.*WhoMayApply"):
        SOURCE.plan({name: "x", "keyword": "y"}, market(1).fetch)


def test_a_page_asks_for_as_many_rows_as_the_api_gives() -> None:
    request = SOURCE.request({"Keyword": "engineer"}, page=3)
    assert request.url == "https://api.test/api/Search"
    assert request.params == {"Keyword": "engineer", "ResultsPerPage": "500", "Page": "3"}


def test_the_key_goes_out_in_a_header_and_nowhere_else() -> None:
    source = market(10_000)
    SOURCE.plan(EVERYTHING, source.fetch)
    requests = [*source.requests, SOURCE.request({}, 1)]
    searches = [request for request in requests if request.url.endswith("Search")]
    assert all(r.headers == {"Authorization-Key": KEY, "User-Agent": EMAIL} for r in searches)
    assert not any(secret in f"{r.url}{r.params}" for r in requests for secret in (KEY, EMAIL))
    assert all(request.headers == {} for request in requests if request not in searches)


@pytest.mark.parametrize("missing", ["SMELT_USAJOBS_API_KEY", "SMELT_USAJOBS_USER_AGENT"])
def test_without_a_key_or_an_address_the_variable_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(PermanentError, match=missing) as refused:
        SOURCE.request({}, 1)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, {"SearchResult": None}, {"SearchResult": {}}, {"SearchResult": {"SearchResultCountAll": "x"}}],
)
def test_an_answer_without_the_count_is_refused(answer: object) -> None:
    with pytest.raises(UnexpectedAnswerError, match="SearchResultCountAll"):
        SOURCE.plan(EVERYTHING, lambda _: answer)


@pytest.mark.parametrize("answer", [None, {}, {"CodeList": []}, {"CodeList": [{"ValidValue": [{"Value": "x"}]}]}])
def test_an_answer_without_the_codes_is_refused_by_the_list_s_name(answer: object) -> None:
    source = market(10_000)
    with pytest.raises(UnexpectedAnswerError, match="agencysubelements"):
        SOURCE.plan(EVERYTHING, lambda r: source.fetch(r) if r.url.endswith("Search") else answer)


def result(total: object, **more: object) -> dict[str, object]:
    return {"SearchResult": {"SearchResultCountAll": total, **more}}


@pytest.mark.parametrize(("total", "counts"), [(1001, (1001, 3)), ("7", (7, 1)), (12_345, (10_000, 20))])
def test_a_page_says_how_many_rows_and_pages_can_be_fetched(total: object, counts: tuple[int, int]) -> None:
    rows, pages = counts
    assert SOURCE.check_page(result(total, SearchResultItems=[{}])) == PageCounts(1, rows, pages)


@pytest.mark.parametrize("more", [{}, {"SearchResultItems": None}, {"SearchResultItems": []}])
def test_without_rows_a_page_needs_no_list(more: dict[str, object]) -> None:
    assert SOURCE.check_page(result(0, **more)) == PageCounts(0, 0, 0)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {"Message": "An error has occurred."},
        {"SearchResult": {"SearchResultItems": []}},
        result(1),
        result(1, SearchResultItems=None),
        result(0, SearchResultItems={}),
        result(-1, SearchResultItems=[]),
    ],
)
def test_what_is_no_page_is_told(payload: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        SOURCE.check_page(payload)
