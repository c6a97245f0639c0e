"""Reads the envelope of a page in bronze."""

import gzip
import io
import zlib
from dataclasses import dataclass
from http import HTTPStatus

from shared import lenient_json
from shared.datasets.source import NO_COUNTS, PageCounts, ReceivedPage, Request, Source
from shared.errors import PermanentError

GZIP = b"\x1f\x8b"
DAMAGE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Envelope:
    """A page with its status. `fingerprints` identify the requests of a sequential part up to this page."""

    fingerprints: tuple[str, ...]
    status: int
    received: ReceivedPage

    @property
    def payload(self) -> object:
        """The response's JSON; None for status 204."""
        return self.received.payload

    def counts(self, source: Source) -> PageCounts:
        """The page's counts. Raises UnexpectedAnswerError if it fails its source's check."""
        return NO_COUNTS if self.status == HTTPStatus.NO_CONTENT else source.check_page(self.payload)


def read(body: bytes, largest: int) -> Envelope:
    """Raises PermanentError for invalid or damaged envelopes, and beyond `largest` bytes decompressed."""
    try:
        content = _expanded(body, largest)
        envelope = lenient_json.outline(content)
        request, response = envelope["request"], envelope["response"]
        sent = Request(request.get("url", ""), request.get("params", {}), {}, body=request.get("body"))
        received = ReceivedPage(sent, response.get("headers", {}), response["payload"])
        return Envelope(tuple(request.get("fingerprints", ())), response["status"], received)
    except DAMAGE as error:
        message = f"not the envelope of a page: {type(error).__name__}: {error}"
        raise PermanentError(message) from error


def _expanded(body: bytes, largest: int) -> bytes:
    plain = io.BytesIO(body)
    content = (gzip.GzipFile(fileobj=plain) if body.startswith(GZIP) else plain).read(largest + 1)
    if len(content) > largest:
        message = f"expands to more than {largest} bytes"
        raise ValueError(message)
    return content
