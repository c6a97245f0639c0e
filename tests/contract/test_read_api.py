"""The read API over HTTP, on a real database: what it finds, in which order, and what it refuses."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx
import polars as pl
import pytest
from sqlalchemy import Engine, text

from services.serving.api import export, result_stream, search
from services.serving.api.rate_limit import RequestLimit
from services.serving.database import Statement
from services.serving.gold import db_role
from services.serving.gold.refresh import refresh
from tests import served
from tests.served import CHICAGO, MONDAY, SEARCH, TODAY, hold, pay, place, posting

pytestmark = pytest.mark.integration

GARY, BOSTON = (41.6021, -87.3372), (42.3601, -71.0589)


@pytest.fixture(scope="module")
def owner(backends: Mapping[str, str]) -> Iterator[Engine]:  # noqa: ARG001 - it is running
    """Postings: 1 to 40 in Chicago, 41 in Gary, 42 in Boston and remote, 43 closed, 44 changed."""
    engine = served.empty_gold()
    many = [
        posting(n, f"Program Analyst {n}", PublicationStartDate=f"{TODAY - timedelta(days=n % 7)}T00:00:00.0000")
        for n in range(1, 41)
    ]
    old = {"PublicationStartDate": "2025-01-01T00:00:00.0000", "ApplicationCloseDate": "2025-01-31T23:59:59.9970"}
    nurse = {"JobCategory": [{"Code": "0610", "Name": "Nurse"}], "PositionRemuneration": pay(30, 40, "PH")}
    boston = place("Boston", *BOSTON) | {"CountrySubDivisionCode": "Massachusetts"}
    others = [
        posting(41, "Nurse", PositionLocation=[place("Gary, Indiana", *GARY)], **nurse),
        posting(42, "Data Engineer", PositionLocation=[boston], details={"RemoteIndicator": "True"}),
        posting(43, "Old Nurse", **old, **nurse),
        posting(44, "Furnace Keeper", OrganizationName="Bureau of Fire", DepartmentName="Department of Heat"),
    ]
    hold(engine, SEARCH, [*many, *others])
    changed = posting(
        44, "Chief Furnace Keeper", OrganizationName="Bureau of Fire", DepartmentName="Department of Heat"
    )
    hold(engine, SEARCH, [changed], MONDAY + timedelta(days=1))
    refresh(engine, always=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def api(owner: Engine) -> Iterator[httpx.Client]:  # noqa: ARG001 - it is filled
    with served.api() as client:
        yield client


def found(api: httpx.Client, **asked: Any) -> list[int]:
    answer = api.get("/v1/postings", params={"limit": 100} | asked)
    assert answer.status_code == 200, answer.text
    return [one["control_number"] for one in answer.json()["postings"]]


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ({"q": "nurse"}, {41, 43}),
        ({"q": "nurse -old"}, {41}),
        ({"q": '"data engineer"'}, {42}),
        ({"series": "0610"}, {41, 43}),
        ({"agency": "Bureau of Fire"}, {44}),
        ({"agency": ["Bureau of Fire", "Bureau of Water"]}, {44}),
        ({"department": "Department of Heat"}, {44}),
        ({"department": ["Department of Heat", "Department of Ores"], "remote": "true"}, {42}),
        ({"state": "massachusetts"}, {42}),
        ({"state": ["MA", "Massachusetts"]}, {42}),
        ({"state": "MA", "near": "boston", "q": "engineer"}, {42}),
        ({"opened_since": f"{TODAY - timedelta(days=9)}", "agency": "Bureau of Fire"}, {44}),
        ({"opened_since": f"{TODAY - timedelta(days=8)}", "agency": "Bureau of Fire"}, set()),
        ({"remote": "true"}, {42}),
        ({"open": "false"}, {43}),
        ({"q": "nurse", "open": "true"}, {41}),
        ({"pay": 90_000, "series": "0610"}, set()),
        ({"pay": 80_000, "series": "0610"}, {41, 43}),
        ({"grade": 12, "q": "nurse"}, {41, 43}),
        ({"grade": 14}, set()),
        ({"near": "41.6021,-87.3372", "radius": 5}, {41}),
        ({"near": "Gary, Indiana", "radius": 5}, {41}),
        ({"near": "gary", "radius": 5}, {41}),
        ({"near": "boston", "radius": 500, "q": "engineer"}, {42}),
    ],
)
def test_a_search_finds_what_holds_and_nothing_else(
    api: httpx.Client, asked: dict[str, Any], numbers: set[int]
) -> None:
    assert set(found(api, **asked)) == numbers


def test_the_answer_says_which_place_is_meant(api: httpx.Client) -> None:
    near = api.get("/v1/postings?near=Chicago").json()["near"]
    assert (near["name"], near["latitude"]) == ("Chicago, Illinois", CHICAGO[0])
    assert api.get("/v1/postings?near=41.9,-87.6").json()["near"] is None


def test_a_page_has_up_to_a_thousand_postings(api: httpx.Client) -> None:
    answer = api.get("/v1/postings?limit=1000").json()
    assert (len(answer["postings"]), answer["next"]) == (44, None)


def test_money_has_its_digits_and_no_others(api: httpx.Client, owner: Engine) -> None:
    hold(owner, SEARCH, [posting(60, "Miser", PositionRemuneration=pay(999_999_999_999.99, 0.1, "PA"))])
    refresh(owner, always=True)
    for path in ("/v1/postings/60", "/v1/postings?q=miser"):
        text_of_amounts = re.findall(r'"pay_(?:minimum|maximum)":([^,]+)', api.get(path).text)
        assert text_of_amounts == ["999999999999.99", "0.1"]
    hold(owner, SEARCH, [posting(60, "Miser", PositionRemuneration=pay(30.01, 30.02, "PH"))])
    refresh(owner, always=True)
    quartiles = re.search(r'"pay":\[([^]]+)', api.get("/v1/stats/summary?q=miser").text)
    assert quartiles
    assert quartiles[1] == "62641.31,62641.31,62641.31"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/healthz",
        "/openapi.json",
        "/static/page.js",
        "/v1/postings",
        "/v1/postings/1",
        "/v1/postings/0",
        "/v1/stats/summary",
        "/v1/datasets",
        "/v1/datasets/usajobs_search/rows",
        "/v1/export?format=csv",
        "/v1/export?format=parquet",
        "/v1/datasets/usajobs_search/rows?format=csv",
    ],
)
def test_head_has_the_headers_of_get_and_no_body(api: httpx.Client, path: str) -> None:
    head, get = api.head(path), api.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    etag = () if "format" in path else ("etag",)  # a file is not made for HEAD
    for name in ("content-type", "content-disposition", "content-security-policy", *etag):
        assert head.headers.get(name) == get.headers.get(name)


def test_head_of_a_file_makes_none(api: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        pytest.fail("the file is made")

    monkeypatch.setattr(export, "slices", unexpected)
    assert api.head("/v1/export?format=parquet").status_code == 200


def test_the_documentation_needs_no_other_host(api: httpx.Client) -> None:
    page = api.get("/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(links) == 4
    assert [api.get(link).status_code for link in links] == [200] * 4  # a link to another host is no path of this one
    assert all(link.startswith("/") for link in links)


def test_a_misspelt_title_is_found_all_the_same(api: httpx.Client) -> None:
    answer = api.get("/v1/postings", params={"q": "furnase keper"}).json()
    assert (answer["matched"], [one["title"] for one in answer["postings"]]) == ("titles", ["Chief Furnace Keeper"])


def test_words_in_the_title_come_first(api: httpx.Client, owner: Engine) -> None:
    hold(owner, SEARCH, [posting(50, "Helper", details={"JobSummary": "Helps the furnace keeper."})])
    refresh(owner, always=True)
    assert found(api, q="furnace keeper") == [44, 50]


@pytest.mark.parametrize("few", [3, 1_000])
@pytest.mark.parametrize("words", ["analyst", "smelts", "analyst -nurse"])
def test_of_many_matches_the_newest_are_ranked(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, words: str, few: int
) -> None:
    """Sorted as a whole, and found by going through all from the newest on."""
    analysts = sorted(range(1, 41), key=lambda n: (n % 7, -n))
    monkeypatch.setattr(search, "MAX_RANKED", 10)
    monkeypatch.setattr(search, "MAX_SORTED", few)
    assert set(found(api, q=words, agency="Bureau of Smelting", pay=90_000, grade=13)) >= set(analysts[:9])
    assert len(found(api, q=words)) == 10


@pytest.mark.parametrize("sort", ["newest", "closing", "pay", "distance", "relevance"])
def test_pages_hold_everything_once_and_in_order(api: httpx.Client, sort: str) -> None:
    asked: dict[str, Any] = {"sort": sort, "limit": 7, "q": "analyst", "near": "41.9,-87.6"}
    seen: list[dict[str, Any]] = []
    for _ in range(20):
        answer = api.get("/v1/postings", params=asked).json()
        seen += answer["postings"]
        if not answer["next"]:
            break
        asked["cursor"] = answer["next"]
    assert sorted(one["control_number"] for one in seen) == list(range(1, 41))
    keys = {"newest": "opened_on", "closing": "closes_on", "pay": "annual_maximum", "distance": "miles"}
    if sort in keys:
        values = [one[keys[sort]] for one in seen]
        assert values == sorted(values, reverse=sort in {"newest", "pay"})


def test_a_posting_shows_its_places_history_and_lineage(api: httpx.Client) -> None:
    answer = api.get("/v1/postings/44").json()
    assert [one["name"] for one in answer["locations"]] == ["Chicago, Illinois"]
    assert [one["changes"] for one in answer["history"]] == [
        None,
        {"position_title": ["Furnace Keeper", "Chief Furnace Keeper"]},
    ]
    (lineage,) = answer["lineage"]
    assert lineage["key"].startswith("uploads/usajobs_search/")
    assert lineage["first_seen_at"] == "2026-01-05T00:00:00Z"
    assert api.get("/v1/postings/44/history").json() == answer["history"]
    assert api.get("/v1/postings/1/history").json() == []


def test_statistics_follow_the_filters(api: httpx.Client) -> None:
    nurses = {"q": "nurse"}
    assert api.get("/v1/stats/summary", params=nurses).json() == {
        "postings": 2,
        "open": 1,
        "agencies": 1,
        "pay": [73_045.0, 73_045.0, 73_045.0],
    }
    assert api.get("/v1/stats/pay", params=nurses).json() == [{"dollars": 70_000, "postings": 2}]
    timeline = api.get("/v1/stats/timeline", params=nurses).json()
    assert (timeline[0]["from_day"], sum(slot["postings"] for slot in timeline)) == ("2025-01-01", 2)
    dots = api.get("/v1/stats/places", params={"near": "42.36,-71.06", "radius": 1}).json()
    assert dots == [{"name": "Boston", "latitude": 42.4, "longitude": -71.1, "postings": 1}]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stats/agencies",
        "/v1/stats/agency-daily?agency=Bureau of Fire",
        "/v1/stats/pay-by-series",
        "/v1/stats/time-to-close",
        "/v1/freshness",
        "/v1/places?q=gary",
        "/v1/stats/timeline",
    ],
)
def test_every_list_has_something_in_it(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.json()


def test_places_are_found_by_how_they_begin_and_by_how_they_look(api: httpx.Client) -> None:
    assert [one["name"] for one in api.get("/v1/places?q=chic").json()] == ["Chicago, Illinois"]
    assert api.get("/v1/places?q=Chcago").json()[0]["name"] == "Chicago, Illinois"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/postings?q=" + "x" * 201, 422),
        ("/v1/postings?q=a%00b", 422),
        ("/v1/postings?near=91,0", 422),
        ("/v1/postings?near=Atlantis", 422),
        ("/v1/postings?near=41,-87&radius=501", 422),
        ("/v1/postings?near=41,-87&radius=nan", 422),
        ("/v1/postings?limit=1001", 422),
        ("/v1/postings?state=Atlantis", 422),
        ("/v1/postings?opened_since=yesterday", 422),
        ("/v1/postings?sort=distance", 422),
        ("/v1/postings?sort=relevance", 422),
        ("/v1/postings?series=2210'--", 422),
        ("/v1/postings?colour=red", 422),
        ("/v1/postings?cursor=AAAA", 422),
        ("/v1/postings?cursor=" + "A" * 301, 422),
        ("/v1/postings/99999999999999999999", 422),
        ("/v1/postings/0", 404),
        ("/v1/postings/0/history", 404),
        ("/v1/export?format=exe", 422),
        ("/v1/nothing", 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(api: httpx.Client, path: str, status: int) -> None:
    answer = api.get(path)
    assert answer.status_code == status
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "injected", ["'; drop table gold.posting_stored; --", "') or true --", "1 union select 1", "%"]
)
@pytest.mark.parametrize("parameter", ["q", "near", "agency", "cursor"])
def test_sql_in_a_parameter_is_only_text(api: httpx.Client, parameter: str, injected: str) -> None:
    answer = api.get("/v1/postings", params={parameter: injected})
    assert answer.status_code in {200, 422}
    assert answer.status_code == 422 or answer.json()["postings"] == []
    assert len(found(api)) > 40


def test_an_answer_that_is_known_is_not_sent_again(api: httpx.Client, owner: Engine) -> None:
    first = api.get("/v1/postings?q=boston")
    known = {"If-None-Match": first.headers["etag"]}
    assert "max-age" in first.headers["cache-control"]
    again = api.get("/v1/postings?q=boston", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    hold(owner, SEARCH, [posting(51, "Boston Smelter")])
    refresh(owner, always=True)
    assert api.get("/v1/postings?q=boston", headers=known).status_code == 200


def test_who_asks_too_often_waits(owner: Engine) -> None:  # noqa: ARG001 - it is filled
    with served.api(requests=2) as api:
        answers = [api.get("/v1/freshness") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 60
        assert api.get("/healthz").status_code == 200


def test_without_redis_each_process_counts_for_itself() -> None:
    limit = RequestLimit(1, "redis://127.0.0.1:1/0")
    assert limit.wait("a") == 0
    assert limit.wait("a") > 0


def test_a_question_that_takes_too_long_is_given_up(owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(db_role.OPTIONS, "statement_timeout", "200ms")
    with served.api() as api, owner.begin() as locking:
        locking.execute(text("lock table gold.posting_stored in access exclusive mode"))
        answer = api.get("/v1/postings/1")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "too long" in answer.json()["detail"]


def test_exports_hold_the_same_rows_in_every_format(api: httpx.Client) -> None:
    asked = {"near": "{},{}".format(*CHICAGO), "open": "true"}
    exported = {
        form: api.get("/v1/export", params=asked | {"format": form}).content for form in ("json", "csv", "parquet")
    }
    from_json = {row["control_number"]: row["title"] for row in json.loads(exported["json"])}
    from_csv = {
        int(row["control_number"]): row["title"] for row in csv.DictReader(io.StringIO(exported["csv"].decode()))
    }
    frame = pl.read_parquet(io.BytesIO(exported["parquet"]))
    assert from_json == from_csv == dict(zip(frame["control_number"], frame["title"], strict=True))
    assert len(from_json) > 40


def test_a_csv_has_no_formula_unless_it_is_asked_for_as_it_is() -> None:
    texts = ["=1+1", "+1", "-1", "@sum(A1)", "\ttab", "\rreturn", "a=1", "", None]
    schema = pl.Schema({"text": pl.String(), "number": pl.Int64(), "texts": pl.List(pl.String)})
    frame = pl.DataFrame({"text": texts, "number": [-1] * 9, "texts": [["=1", "2"]] * 9}, schema=schema)
    safe = list(csv.reader(io.StringIO(b"".join(result_stream.csv(schema, iter([frame]))).decode(), newline="")))
    assert [row[0] for row in safe[1:]] == ["'=1+1", "'+1", "'-1", "'@sum(A1)", "'\ttab", "'\rreturn", "a=1", "", ""]
    assert safe[1] == ["'=1+1", "-1", "'=1; 2"]
    raw = b"".join(result_stream.csv(schema, iter([frame]), escape_formulas=False)).decode()
    assert next(csv.DictReader(io.StringIO(raw))) == {"text": "=1+1", "number": "-1", "texts": "=1; 2"}


def test_a_csv_is_exported_as_it_is_on_request(api: httpx.Client) -> None:
    asked = {"format": "csv", "raw": "true"}
    assert api.get("/v1/export", params=asked).text.count("\n") == api.get(
        "/v1/export", params={"format": "csv"}
    ).text.count("\n")


def test_requests_under_another_name_are_refused(api: httpx.Client) -> None:
    assert api.get("/v1/freshness", headers={"Host": "attacker.example"}).status_code == 400
    assert api.get("/healthz", headers={"Host": "10.0.0.1"}).status_code == 200


def test_an_export_holds_few_rows_at_a_time(owner: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_stream, "BATCH_ROWS", 7)
    statement = Statement("select control_number from gold.posting", {})
    with result_stream.slices(owner, statement) as (_, frames):
        sizes = [len(frame) for frame in frames]
    assert max(sizes) == 7
    assert sum(sizes) > 40


@pytest.mark.parametrize("form", ["json", "csv", "parquet"])
def test_an_export_of_nothing_is_a_file_of_nothing(api: httpx.Client, form: str) -> None:
    answer = api.get("/v1/export", params={"q": "unobtainium", "format": form})
    assert answer.status_code == 200
    assert f"postings.{form}" in answer.headers["content-disposition"]
    assert {"json": b"[]\n"}.get(form, answer.content) == answer.content


def test_every_answer_carries_the_security_headers(api: httpx.Client) -> None:
    for path in ("/", "/healthz", "/v1/freshness", "/v1/postings/0", "/nothing"):
        headers = api.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
