"""From the bytes of a bronze object to its payload and what is known about where it came from."""

import gzip
import json
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import orjson
import zstandard

from shared.errors import PermanentError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Decoded:
    """A payload, the `Date` its source gave it, and the page of a run it is (empty for a bare upload)."""

    payload: object
    date: str | None
    ingest: dict[str, Any]


def decode(body: bytes, expanded_limit: int) -> Decoded:
    """Undo compression and envelope. Raises PermanentError for what is empty, damaged, too large or not JSON."""
    content = load_json(expand(body, expanded_limit))
    if not _is_envelope(content):
        return Decoded(content, date=None, ingest={})
    response = content["response"]
    headers = {str(k).lower(): v for k, v in (response.get("headers") or {}).items()}
    return Decoded(response["payload"], date=headers.get("date"), ingest=content.get("ingest") or {})


def expand(body: bytes, limit: int) -> bytes:
    """The content of plain, gzip or zstd bytes, told by their first bytes, never by the object's name."""
    if not body.strip():
        message = "the object is empty"
        raise PermanentError(message)
    if not body.startswith((GZIP, ZSTD)):
        return body
    open_stream = gzip.open if body.startswith(GZIP) else zstandard.open
    try:
        with open_stream(BytesIO(body)) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        message = f"damaged compression: {error}"
        raise PermanentError(message) from error
    if len(content) > limit:
        message = f"expands to more than {limit} bytes"
        raise PermanentError(message)
    return bytes(content)


def load_json(content: bytes) -> Any:
    """Parse JSON; what only a lenient parser takes (lone surrogates, NaN) is left to the records it occurs in."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        message = f"not JSON: {error}"
        raise PermanentError(message) from error


def _is_envelope(content: Any) -> bool:
    response = content.get("response") if isinstance(content, dict) else None
    return isinstance(response, dict) and "payload" in response
