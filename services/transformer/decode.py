"""From the bytes of a bronze object to its payload and what is known about where it came from."""

import gzip
import sys
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from shared import lenient_json
from shared.errors import PermanentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Decoded:
    """A payload, the `Date` its source gave it, and the page of a run it is (empty for a bare upload)."""

    payload: object
    date: str | None
    ingest: dict[str, Any]


def decode(body: bytes, expanded_limit: int) -> Decoded:
    """Undo compression and envelope. Raises PermanentError for what is empty, damaged, too large or not JSON."""
    try:
        content = lenient_json.loads(expand(body, expanded_limit))
    except ValueError as error:
        message = f"not JSON: {error}"
        raise PermanentError(message) from error
    if not _is_envelope(content):
        return Decoded(content, date=None, ingest={})
    response = content["response"]
    headers = {name.lower(): value for name, value in _object(response.get("headers")).items()}
    date = headers.get("date")
    return Decoded(response["payload"], date if isinstance(date, str) else None, _object(content.get("ingest")))


def expand(body: bytes, limit: int) -> bytes:
    """The content of plain, gzip or zstd bytes, told by their first bytes, never by the object's name."""
    if not body.strip():
        message = "the object is empty"
        raise PermanentError(message)
    if not body.startswith((GZIP, ZSTD)):
        return body
    open_stream: Any = gzip.open if body.startswith(GZIP) else zstd.open
    try:
        with open_stream(BytesIO(body)) as stream:
            content: bytes = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error, zstd.ZstdError) as error:
        message = f"damaged compression: {error}"
        raise PermanentError(message) from error
    if len(content) > limit:
        message = f"expands to more than {limit} bytes"
        raise PermanentError(message)
    return content


def _is_envelope(content: Any) -> bool:
    response = content.get("response") if isinstance(content, dict) else None
    return isinstance(response, dict) and "payload" in response


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
