"""The envelope of a fetched page."""

import gzip
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from services.extractor.page_envelope import compressed, envelope
from services.extractor.responses import SourcePage
from services.transformer.formats import document
from shared import lenient_json
from shared.datasets import registry
from shared.datasets.source import PageCounts, Request
from shared.errors import PermanentError
from shared.formats import envelope as envelopes
from shared.formats.commands import PageCommand

COMMAND = PageCommand(dataset="things", run_id="20250903T120000Z-0badcafe", params={"a": "1"}, part=2, page=3, of=4)
REQUEST = Request(
    "https://api.test/search", {"a": "1", "Page": "3"}, {"Authorization-Key": "s3cret", "User-Agent": "me@x.y"}
)
PAYLOAD = b'{ "b": 1.10,  "a": "\\u00e9\xc3\xa9", "big": 123456789012345678901234567890 }'
HEADERS = {"date": "Wed, 03 Sep 2025 12:00:00 GMT"}
LARGEST = 10_000
RECEIVED = datetime(2025, 9, 3, 12, 0, 1, 500, tzinfo=UTC)


def stored(
    received_at: datetime = RECEIVED, text: bytes = PAYLOAD, fingerprints: tuple[str, ...] = (), rows: int | None = None
) -> bytes:
    """The bronze object."""
    page = SourcePage(200, text, lenient_json.outline(text), PageCounts(1, rows))
    return compressed(envelope(COMMAND, REQUEST, fingerprints, page, HEADERS, received_at), LARGEST)


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
    page = stored(text=b'{"SearchResult": {"SearchResultItems": [{"MatchedObjectId": "1"}]}}')
    content = document.read_page(gzip.decompress(page), registry.dataset("usajobs_search"))
    assert list(content.records) == [b'{"MatchedObjectId": "1"}']
    assert (content.date, content.ingest["page"]) == ("Wed, 03 Sep 2025 12:00:00 GMT", 3)


def test_what_a_part_is_known_to_have_is_in_the_envelope() -> None:
    content = orjson.loads(gzip.decompress(stored(fingerprints=("a1", "b2"), rows=1005)))
    assert content["request"]["fingerprints"] == ["a1", "b2"]
    assert content["ingest"]["part_rows"] == 1005
    assert orjson.loads(gzip.decompress(stored(rows=2**40)))["ingest"]["part_rows"] == 2**31 - 1


def test_an_envelope_reads_back() -> None:
    read = envelopes.read(stored(fingerprints=("a1",)), LARGEST)
    assert (read.fingerprints, read.status) == (("a1",), 200)
    assert read.payload == orjson.loads(PAYLOAD)


@pytest.mark.parametrize("text", [b"null", b'{"a": NaN, "b": "\\ud800"}', b'{"a": "\t"}', rb'{"a": "\q\\"}'])
def test_a_payload_that_is_none_or_flawed_is_kept_and_read(text: bytes) -> None:
    page = stored(text=text)
    assert b'"payload":' + text in gzip.decompress(page)
    assert repr(envelopes.read(page, LARGEST).payload) == repr(lenient_json.outline(text))


def test_a_page_that_the_transformer_would_not_read_is_refused() -> None:
    with pytest.raises(PermanentError, match="exceeds 10000, the limit set by SMELT_MAX_DOCUMENT_MIB"):
        stored(text=b'"' + b"x" * LARGEST + b'"')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"not JSON",
        stored()[:-20],
        stored()[:40] + b"\0" * 40 + stored()[80:],
        gzip.compress(b'{"request": {"params": {}}, "response": {"status": 200}}', mtime=0),
        gzip.compress(b'{"request": {"params": {}}, "response": {"status": 200, "payload": \xef\xbb\xbf{}}}', mtime=0),
        gzip.compress(b" " * (LARGEST + 1), mtime=0),
    ],
)
def test_what_is_no_envelope_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(PermanentError, match=r"not the envelope of a page: [A-Za-z]+: ."):
        envelopes.read(body, LARGEST)
