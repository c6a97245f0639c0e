"""Decoding a source's response to JSON text in UTF-8 and checking that it is a page. No I/O."""

import codecs
import json
import re
from dataclasses import dataclass
from http import HTTPStatus

from services.extractor.fetch import Response
from shared import lenient_json
from shared.datasets.source import NO_COUNTS, PageCounts, Source, UnexpectedAnswerError

CHARSET = re.compile(r"""charset\s*=\s*["']?([^"'\s;]+)""", re.IGNORECASE)
UTF_8 = {"utf-8", "utf-8-sig"}
WHITE_SPACE = b" \t\r\n"  # JSON's
NO_CONTENT = b"204 No Content"  # sent as a body with 200 by the Historic JOA API
NULL = b"null"


@dataclass(frozen=True)
class SourcePage:
    """A response that passed its source's check. `text` is its body as JSON in UTF-8; `null` for status 204."""

    status: int
    text: bytes
    payload: object
    counts: PageCounts


def page(source: Source, response: Response) -> SourcePage:
    """The response as a page. Raises UnexpectedAnswerError for invalid JSON, or if the source rejects it."""
    text = json_text(response)
    payload = parsed(text)
    if payload is None:
        return SourcePage(HTTPStatus.NO_CONTENT, text, payload, NO_COUNTS)
    return SourcePage(response.status, text, payload, source.check_page(payload))


def parsed(text: bytes) -> object:
    """Parse JSON text. Tolerates flaws inside records, which the transformer rejects. Raises UnexpectedAnswerError."""
    try:
        return lenient_json.outline(text)
    except ValueError as error:
        message = f"not JSON: {error}"
        raise UnexpectedAnswerError(message) from error


def json_text(response: Response) -> bytes:
    """The body in UTF-8 without byte order mark and surrounding white space; `null` for an empty response.

    UTF-16 and UTF-32 are detected from the first bytes (RFC 4627); otherwise the declared charset is used, UTF-8 by
    default. Raises UnexpectedAnswerError for undecodable bytes, and for a literal `null` whose status is not 204.
    """
    if _is_empty(response):
        return NULL
    encoding: str = json.detect_encoding(response.body)
    if encoding == "utf-8":
        encoding = _declared(response.headers.get("content-type", ""))
    text = _recoded(response.body, encoding).strip(WHITE_SPACE).removeprefix(codecs.BOM_UTF8).strip(WHITE_SPACE)
    if text == NULL:
        message = f"null, with status {response.status}"
        raise UnexpectedAnswerError(message)
    return text


def _recoded(body: bytes, encoding: str) -> bytes:
    if encoding in UTF_8:
        return body
    try:
        text = body.decode(encoding, "surrogatepass" if encoding.startswith("utf-") else "strict")
    except UnicodeError as error:
        message = f"not text in {encoding}: {error}"
        raise UnexpectedAnswerError(message) from error
    return text.encode("utf-8", "surrogatepass")


def _is_empty(response: Response) -> bool:
    return response.status == HTTPStatus.NO_CONTENT or response.body.strip() == NO_CONTENT


def _declared(content_type: str) -> str:
    """The charset of a Content-Type, or UTF-8. UTF-16 and UTF-32 are ignored: the bytes have ruled them out."""
    match = CHARSET.search(content_type)
    try:
        encoding = codecs.lookup(match[1] if match else "utf-8").name
        "".encode(encoding)  # raises LookupError for codecs that do not encode text
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
