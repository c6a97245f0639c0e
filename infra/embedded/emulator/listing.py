"""Listings of object versions, encoded as S3 encodes them.

`ministack` ignores `encoding-type=url` there. A key with a control character, which XML cannot hold, then makes the
listing unreadable, and with it every object below the same prefix.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import unescape  # nosec B406 - replaces text, parses no XML

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

ENCODED: Final = re.compile(r"<(Key|Prefix|KeyMarker|NextKeyMarker|Delimiter)>(.*?)</\1>", re.DOTALL)
END_OF_ROOT: Final = "</ListVersionsResult>"


def must_encode(query_string: bytes) -> bool:
    """Whether the request lists versions and asks for encoded keys, as boto3 does."""
    query = parse_qs(query_string.decode("ascii"), keep_blank_values=True)
    return "versions" in query and query.get("encoding-type") == ["url"]


def encode(body: bytes) -> bytes:
    """The listing with its keys percent-encoded; anything else as it is."""
    text = body.decode()
    if END_OF_ROOT not in text:
        return body
    encoded = ENCODED.sub(lambda match: f"<{match[1]}>{_quote(match[2])}</{match[1]}>", text)
    return encoded.replace(END_OF_ROOT, f"<EncodingType>url</EncodingType>{END_OF_ROOT}").encode()


def encoding(send: Send) -> Send:
    """Sends a response whole, encoded."""
    start: Message = {}
    parts: list[bytes] = []

    async def encode_and_send(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            body = encode(b"".join(parts))
            headers = [header for header in start["headers"] if header[0].lower() != b"content-length"]
            await send({**start, "headers": [*headers, (b"content-length", str(len(body)).encode())]})
            await send({"type": "http.response.body", "body": body})

    return encode_and_send


def _quote(text: str) -> str:
    return quote(unescape(text, {"&#09;": "\t", "&#10;": "\n", "&#13;": "\r", "&quot;": '"'}), safe="/")
