"""The envelope of a fetched page."""

import gzip
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from services.extractor.bronze import envelope, payload
from services.extractor.fetch import Answer
from services.transformer.formats import document
from shared import lenient_json
from shared.datasets import contract
from shared.datasets.contract import Request
from shared.events import PageCommand

COMMAND = PageCommand(dataset="things", run_id="20250903T120000Z-0badcafe", params={"a": "1"}, part=2, page=3, of=4)
REQUEST = Request(
    "https://api.test/search", {"a": "1", "Page": "3"}, {"Authorization-Key": "s3cret", "User-Agent": "me@x.y"}
)
PAYLOAD = b'{ "b": 1.10,  "a": "\\u00e9\xc3\xa9", "big": 123456789012345678901234567890 }\n'
ANSWER = Answer(200, {"date": "Wed, 03 Sep 2025 12:00:00 GMT"}, PAYLOAD)
RECEIVED = datetime(2025, 9, 3, 12, 0, 1, 500, tzinfo=UTC)


def stored(received_at: datetime = RECEIVED) -> bytes:
    """The envelope's bytes."""
    return envelope(COMMAND, REQUEST, ANSWER, received_at)


def test_the_same_answer_gives_the_same_bytes_in_any_time_zone_of_the_worker() -> None:
    assert stored() == stored(RECEIVED.astimezone(timezone(timedelta(hours=9))))


def test_the_gzip_header_carries_no_time_and_no_name() -> None:
    assert stored()[3:8] == bytes(5)  # flags, then four bytes of modification time


def test_the_payload_is_kept_byte_by_byte() -> None:
    assert b'"payload":' + PAYLOAD in gzip.decompress(stored())


def test_the_envelope_says_how_it_was_asked_for_when_it_came_and_which_page_it_is() -> None:
    content = orjson.loads(gzip.decompress(stored()))
    assert content["request"] == {"url": "https://api.test/search", "params": {"a": "1", "Page": "3"}}
    assert content["response"].pop("payload") == orjson.loads(PAYLOAD)
    assert content["response"] == {
        "status": 200,
        "headers": {"date": "Wed, 03 Sep 2025 12:00:00 GMT"},
        "received_at": "2025-09-03T12:00:01.000500+00:00",
    }
    assert content["ingest"] == {"run_id": COMMAND.run_id, "part": 2, "page": 3, "of": 4}


def test_nothing_of_the_request_s_headers_is_kept() -> None:
    content = gzip.decompress(stored())
    assert not any(secret in content for secret in (b"s3cret", b"Authorization", b"me@x.y", b"User-Agent"))


def test_the_transformer_reads_what_the_extractor_writes() -> None:
    body = b'{"SearchResult": {"SearchResultItems": [{"MatchedObjectId": "1"}]}}'
    page = envelope(COMMAND, REQUEST, Answer(200, ANSWER.headers, body), RECEIVED)
    content = document.read_page(gzip.decompress(page), contract.raw("usajobs_search"))
    assert list(content.records) == [b'{"MatchedObjectId": "1"}']
    assert (content.date, content.ingest["page"]) == ("Wed, 03 Sep 2025 12:00:00 GMT", 3)


def test_the_extractor_reads_the_payload_out_of_its_own_envelope() -> None:
    assert payload(stored()) == orjson.loads(PAYLOAD)


@pytest.mark.parametrize("body", [b"null", b'{"a": NaN, "b": "\\ud800"}'])
def test_a_payload_that_is_none_or_not_strictly_json_is_kept_and_read(body: bytes) -> None:
    page = envelope(COMMAND, REQUEST, Answer(200, {}, body), RECEIVED)
    assert b'"payload":' + body in gzip.decompress(page)
    assert repr(payload(page)) == repr(lenient_json.loads(body))
