"""Pages that keep a run from being complete: the audit says which and why, and has those fetched anew that it can."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.ops.reconcile import reconciliation
from services.ops.reconcile.reconciliation import Missing
from services.ops.runs import details as run_details
from shared.engine.message import dead_letter_url
from shared.formats.commands import PageCommand
from shared.formats.s3_events import created_event
from shared.storage.object_id import ObjectId
from tests.conftest import smelt_command
from tests.integration.extraction import Extraction, extraction, simulator
from tests.integration.letters import REASON

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("short_polls")]

WINDOW = {"StartPositionOpenDate": "2025-01-01", "EndPositionOpenDate": "2025-12-31"}
CLEAN = Missing((), ())


@pytest.fixture
def search(backends: Mapping[str, str], database: Engine) -> Iterator[Extraction]:
    assert backends
    assert database
    with extraction("usajobs_search", "audit-search") as made:
        yield made


@pytest.fixture
def historic(backends: Mapping[str, str], database: Engine) -> Iterator[Extraction]:
    assert backends
    assert database
    with extraction("usajobs_historic", "audit-historic") as made:
        yield made


def envelope(payload: bytes) -> bytes:
    """As an older version stored whatever came."""
    before, after = b'{"request":{},"response":{"status":200,"headers":{},"payload":', b'},"ingest":{}}'
    return gzip.compress(before + payload + after)


UNREADABLE = {
    "a byte order mark inside": (envelope(b'\xef\xbb\xbf{"SearchResult":{}}'), "not the envelope of a page"),
    "UTF-16 inside": (envelope('{"SearchResult":{}}'.encode("utf-16")), "not the envelope of a page"),
    "an error message": (envelope(b'{"Message":"An error has occurred."}'), "SearchResultCountAll"),
    "a null list": (
        envelope(b'{"SearchResult":{"SearchResultCountAll":3,"SearchResultItems":null}}'),
        "no list of records at SearchResult.SearchResultItems",
    ),
    "cut short": (envelope(b"{}")[:-9], "not the envelope of a page: EOFError"),
    "HTML": (b"<html></html>", "not the envelope of a page"),
}


def put(extraction: Extraction, page: PageCommand, body: bytes) -> ObjectId:
    key, bucket = extraction.key(page), extraction.extractor.bucket
    return ObjectId(bucket, key, extraction.extractor.s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def bury(extraction: Extraction, url: str, body: str, message: str = "no such rule") -> None:
    values = {name: {"DataType": "String", "StringValue": value} for name, value in REASON.items()}
    values["error_message"]["StringValue"] = message
    extraction.extractor.sqs.send_message(
        QueueUrl=dead_letter_url(url),
        MessageBody=body,
        MessageAttributes=values,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("body", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_page_that_cannot_be_read_is_named_and_fetched_anew(search: Extraction, body: bytes, why: str) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    bad = put(search, page, body)
    missing = reconciliation.find_missing(search.connections)
    (stuck,) = missing.stuck
    assert (missing.objects, missing.pages) == ((), ())
    assert (stuck.page, stuck.state, stuck.key) == (page, "unreadable", bad.key)
    assert why in stuck.reason
    assert reconciliation.repair(search.connections, missing) == 1
    (anew,) = search.commands()
    assert anew == page.model_copy(update={"replaces": bad.version})
    assert [search.fetch(anew), search.fetch(anew)] == ["fetched", "duplicate"]
    search.transform_object(page)
    complete, distinct_records, expected_records = search.run()
    assert complete
    assert distinct_records == expected_records > 0
    assert reconciliation.find_missing(search.connections) == CLEAN


def test_a_dead_letter_of_a_page_that_cannot_be_read_does_not_keep_it_from_being_fetched(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    bad = put(search, page, b"damaged")
    bury(search, search.connections.settings.bronze_queue_url, created_event(bad))
    assert [stuck.state for stuck in reconciliation.find_missing(search.connections).stuck] == ["unreadable"]
    reconciliation.repair(search.connections, reconciliation.find_missing(search.connections))
    (anew,) = search.commands()
    search.fetch(anew)
    search.transform_object(page)
    assert search.run()[0]
    assert reconciliation.find_missing(search.connections) == CLEAN


def test_a_page_whose_command_is_a_dead_letter_is_named_with_its_reason_and_waits(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    # As an older version wrote it, which knew nothing of `replaces`.
    bury(search, search.extractor.queue_url, page.model_dump_json(exclude_none=True), "404 Not Found")
    missing = reconciliation.find_missing(search.connections)
    (stuck,) = missing.stuck
    assert (stuck.state, stuck.reason, stuck.fetch) == ("dead letter", "PermanentError: 404 Not Found", None)
    assert missing.sendable == 0


def test_a_page_that_its_source_accepts_and_the_transformer_refused_is_named_and_waits(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    search.fetch(page)
    version = search.extractor.s3.head_object(Bucket=search.extractor.bucket, Key=search.key(page))["VersionId"]
    stored = ObjectId(search.extractor.bucket, search.key(page), version)
    bury(search, search.connections.settings.bronze_queue_url, created_event(stored), "9 of 10 records failed")
    missing = reconciliation.find_missing(search.connections)
    (stuck,) = missing.stuck
    assert (stuck.state, stuck.reason) == ("dead letter", "PermanentError: 9 of 10 records failed")
    assert missing.sendable == 0


def test_of_pages_one_after_another_the_rest_follows_the_one_that_is_fetched_anew(historic: Extraction) -> None:
    historic.plan(**WINDOW)
    (first,) = historic.commands()
    historic.fetch(first)
    historic.transform_object(first)
    (second,) = historic.commands()
    put(historic, second, b"damaged")
    missing = reconciliation.find_missing(historic.connections)
    assert [stuck.page.page for stuck in missing.stuck] == [2]
    assert missing.pages == ()
    reconciliation.repair(historic.connections, missing)
    assert historic.work() == 3
    complete, distinct_records, expected_records = historic.run()
    assert complete
    assert distinct_records == expected_records
    assert reconciliation.find_missing(historic.connections) == CLEAN


def test_a_part_without_end_is_named_with_the_reason(historic: Extraction) -> None:
    historic.plan(**WINDOW)
    simulator(faults={"repeated_token": 100})
    (first,) = historic.commands()
    historic.fetch(first)
    historic.transform_object(first)
    (second,) = historic.commands()
    with pytest.raises(Exception, match="leads back to") as circle:
        historic.fetch(second)
    historic.transform_object(second)
    bury(historic, historic.extractor.queue_url, second.model_dump_json(), str(circle.value))
    missing = reconciliation.find_missing(historic.connections)
    assert missing.sendable == 0
    assert [(stuck.page.page, stuck.state) for stuck in missing.stuck] == [(3, "dead letter")]
    assert "page 2 leads back to the request of page 2" in missing.stuck[0].reason


def test_the_commands_say_what_keeps_a_run_from_being_complete(search: Extraction) -> None:
    search.plan(Keyword="analyst")
    (page,) = search.commands()
    put(search, page, envelope(b'{"Message":"An error has occurred."}'))
    smelt = smelt_command(Path(search.connections.settings.home))
    found = smelt("reconcile")
    why = "USAJOBS answered without SearchResult.SearchResultCountAll"
    assert found.returncode == 1, found
    assert found.stdout == f"unreadable: run {page.run_id}, part 1, page 1 of 1 ({search.key(page)}): {why}\n"
    (stuck,) = json.loads(smelt("reconcile", "--json").stdout)["stuck"]
    assert (stuck["state"], stuck["reason"]) == ("unreadable", why)
    repaired = smelt("reconcile", "--repair")
    assert (repaired.returncode, repaired.stdout.splitlines()[-1]) == (0, "sent again: 1")
    details = run_details.details(search.connections, page.run_id)
    assert details
    if details.state == "incomplete":
        assert [one.unreadable for one in details.missing] == [why]
