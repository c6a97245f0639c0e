"""What becomes of each answer of a source, from the simulator to Postgres."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from services.extractor import worker
from shared.errors import PermanentError, TransientError
from tests.integration.extraction import Extraction, extraction, message, simulator

pytestmark = pytest.mark.integration

WINDOW = {"StartPositionOpenDate": "2025-01-01", "EndPositionOpenDate": "2025-12-31"}


@pytest.fixture
def search(backends: Mapping[str, str], database: Engine) -> Iterator[Extraction]:
    assert backends
    assert database
    state = simulator()
    with extraction("usajobs_search", "answers-search") as made:
        yield made
    simulator(day=state["day"], postings=300)


@pytest.fixture
def historic(backends: Mapping[str, str], database: Engine) -> Iterator[Extraction]:
    assert backends
    assert database
    with extraction("usajobs_historic", "answers-historic") as made:
        yield made


# Other spellings of the same page


@pytest.mark.parametrize("fault", ["newline", "byte_order_mark", "utf16", "utf32", "indented"])
def test_a_page_is_the_same_however_it_is_spelled(search: Extraction, fault: str) -> None:
    search.plan(Keyword="analyst")
    assert search.work() == 1
    plain = search.run()
    assert plain[1] == plain[2] > 0
    rows = "select md5(string_agg((to_jsonb(job) - 'object_id')::text, ',' order by control_number)) from silver.job"
    before = search.scalar(rows)
    search.plan(Keyword="analyst")
    simulator(faults={fault: 1})
    (page,) = search.commands()
    search.fetch(page)
    search.transform_object(page)
    assert search.run() == plain
    assert search.scalar(rows) == before
    assert search.scalar("select array_agg(read) from ops.loaded_object") == [plain[1], plain[1]]
    assert search.scalar("select sum(inserted) from ops.loaded_object") == plain[1]
    assert search.scalar("select sum(quarantined) from ops.loaded_object") == 0
    stored = json.loads(gzip.decompress(search.stored(search.key(page)) or b""))
    assert len(stored["response"]["payload"]["SearchResult"]["SearchResultItems"]) == plain[1]


@pytest.mark.parametrize(
    ("fault", "text"), [("raw_tab", b'"PositionTitle":"\t'), ("bad_escape", rb'"PositionTitle":"\q')]
)
def test_a_flaw_inside_a_record_is_stored_as_it_came(search: Extraction, fault: str, text: bytes) -> None:
    search.plan(Keyword="analyst")
    simulator(faults={fault: 1})
    (page,) = search.commands()
    assert search.fetch(page) == "fetched"
    assert text in gzip.decompress(search.stored(search.key(page)) or b"")
    assert search.fetch(page) == "duplicate"


# Answers that are no pages


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        ("html200", b"<html>"),
        ("message200", b'{"Message":"An error has occurred."}'),
        ("null200", b"null"),
        ("null_list", b'"SearchResultItems": null'),
        ("absent_list", b'"SearchResultCountAll"'),
    ],
)
def test_what_is_no_page_is_kept_aside_and_asked_for_again(search: Extraction, fault: str, kept: bytes) -> None:
    search.plan(Keyword="analyst")
    simulator(faults={fault: 1})
    (page,) = search.commands()
    with pytest.raises(
        TransientError, match=r"200, but not a page: .*; the response is at rejected-responses/usajobs_search/"
    ):
        search.fetch(page)
    assert search.stored(search.key(page)) is None
    assert kept in (search.rejected(page) or b"")
    assert search.fetch(page) == "fetched"
    search.transform_object(page)
    complete, distinct_records, expected_records = search.run()
    assert complete
    assert distinct_records == expected_records > 0


def test_of_a_long_answer_that_is_no_page_only_the_beginning_is_kept(
    search: Extraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_REJECTED_BYTES", 10)
    search.plan(Keyword="analyst")
    simulator(faults={"message200": 1})
    (page,) = search.commands()
    with pytest.raises(TransientError, match="not a page"):
        search.fetch(page)
    assert search.rejected(page) == b'{"Message"'


@pytest.mark.parametrize("fault", ["null_list", "absent_list"])
def test_without_rows_a_page_needs_no_list(search: Extraction, fault: str) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    nothing = page.model_copy(update={"params": {"Keyword": "no posting has this word"}})
    simulator(faults={fault: 1})
    assert search.fetch(nothing) == "fetched"
    stored = json.loads(gzip.decompress(search.stored(search.key(page)) or b""))
    assert stored["response"]["payload"]["SearchResult"]["SearchResultCountAll"] == 0


@pytest.mark.parametrize("fault", ["html200", "message200", "null_list", "null200"])
def test_of_an_archive_what_is_no_page_is_asked_for_again(historic: Extraction, fault: str) -> None:
    historic.plan(**WINDOW)
    simulator(faults={fault: 1})
    (first,) = historic.commands()
    with pytest.raises(TransientError, match="not a page"):
        historic.fetch(first)
    historic.fetch(first)
    historic.transform_object(first)
    assert historic.work() == 3
    complete, distinct_records, expected_records = historic.run()
    assert complete
    assert distinct_records == expected_records > 3_000


def test_an_answer_that_cannot_be_planned_with_is_asked_for_again(search: Extraction) -> None:
    simulator(faults={"message200": 1})
    with pytest.raises(TransientError, match="SearchResultCountAll"):
        search.plan(Keyword="analyst")
    search.plan(Keyword="analyst")
    assert search.work() == 1


def test_a_null_is_no_plan_of_nothing(historic: Extraction) -> None:
    simulator(faults={"null200": 1})
    with pytest.raises(TransientError, match="null, with status 200"):
        historic.plan(**WINDOW)


def test_a_code_list_that_is_none_is_not_kept_for_the_next_plan(search: Extraction) -> None:
    simulator(postings=11_500, faults={"message200": 1, "every": 2})
    with pytest.raises(TransientError, match="agencysubelements"):
        search.plan()
    search.plan()
    assert len(search.commands()) > 20


def test_an_answer_over_the_limit_is_refused_before_it_is_stored(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    body = page.model_dump_json()
    with pytest.raises(PermanentError, match="larger than 10000 bytes, the limit set by SMELT_MAX_DOCUMENT_MIB"):
        replace(search.extractor, max_bytes=10_000).handle(message(body))
    assert search.stored(search.key(page)) is None


# Statuses


@pytest.mark.parametrize("code", [403, 408, 500, 503, *range(520, 527), 599])
def test_a_status_that_may_pass_costs_another_request(search: Extraction, code: int) -> None:
    search.plan(Keyword="analyst")
    simulator(faults={"status": 1, "code": code, "retry_after": 0})
    (page,) = search.commands()
    with pytest.raises(TransientError, match=f": {code}") as failed:
        search.fetch(page)
    assert failed.value.after is None
    assert search.fetch(page) == "fetched"


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_redirect_within_the_source_s_host_is_followed(search: Extraction, code: int) -> None:
    search.plan(Keyword="analyst")
    simulator(faults={"status": 2, "code": code})
    (page,) = search.commands()
    assert search.fetch(page) == "fetched"
    search.transform_object(page)
    complete, distinct_records, expected_records = search.run()
    assert (complete, distinct_records) == (True, expected_records)


def test_a_pause_of_an_hour_is_told_to_all_extractors(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    simulator(faults={"status": 1, "code": 503, "retry_after": 3600})
    with pytest.raises(TransientError, match="503") as first:
        search.fetch(page)
    assert first.value.after == 3600
    with pytest.raises(TransientError, match="asked for a pause") as second:
        search.fetch(page)
    assert second.value.after == pytest.approx(3600, abs=60)


# Pages without end


@pytest.mark.parametrize(
    ("fault", "circle", "reason"),
    [
        ("repeated_token", 2, "part 1: page 2 leads back to the request of page 2"),
        ("token_circle", 3, "part 1: page 3 leads back to the request of page 2"),
    ],
)
def test_pages_that_go_round_in_a_circle_are_stopped_with_a_reason(
    historic: Extraction, fault: str, circle: int, reason: str
) -> None:
    historic.plan(**WINDOW)
    simulator(faults={fault: 100})
    for number in range(1, circle):
        (page,) = historic.commands()
        assert page.page == number
        historic.fetch(page)
        historic.transform_object(page)
    (last,) = historic.commands()
    for _ in range(2):  # delivered again it comes to the same
        with pytest.raises(PermanentError, match=reason):
            historic.fetch(last)
    historic.transform_object(last)
    assert historic.commands() == []
    following = last.model_copy(update={"page": circle + 1, "of": max(last.of, circle + 1)})
    with pytest.raises(PermanentError, match=reason):
        historic.fetch(following)
    assert historic.run()[0] is False


# Totals that grow


def test_rows_announced_beyond_the_plan_make_a_run_short_and_nothing_inactive(search: Extraction) -> None:
    search.plan()
    search.work()
    simulator(advance_days=30)
    search.plan()
    simulator(faults={"growing_total": 1, "grow_by": 5})
    search.work()
    complete, distinct_records, expected_records = search.run()
    assert complete
    assert distinct_records == expected_records - 5
    gone = "select count(*) from silver.job_last_seen where inactive_since is not null"
    assert search.scalar(gone) == 0
    search.plan()
    search.work()
    assert search.scalar(gone) > 0


def test_pages_added_since_the_plan_are_fetched_too(search: Extraction) -> None:
    simulator(postings=450)
    search.plan()
    now_open = simulator(postings=700)["open"]
    (planned,) = search.commands()
    assert (planned.page, planned.of) == (1, 1)
    assert search.fetch(planned) == "fetched"
    assert search.fetch(planned) == "duplicate"
    added, again = search.commands()
    assert added == again
    assert (added.page, added.of) == (2, 2)
    search.transform_object(planned)
    assert search.run()[0] is False
    search.fetch(added)
    search.transform_object(added)
    assert search.run() == (True, now_open, now_open)
    assert search.commands() == []


def test_a_part_is_extended_once(search: Extraction) -> None:
    simulator(postings=450)
    search.plan()
    simulator(postings=700)
    (planned,) = search.commands()
    search.fetch(planned)
    search.transform_object(planned)
    (added,) = search.commands()
    now_open = simulator(postings=1_200)["open"]
    search.fetch(added)
    search.transform_object(added)
    assert search.commands() == []
    complete, distinct_records, expected_records = search.run()
    assert complete
    assert expected_records == now_open > distinct_records
