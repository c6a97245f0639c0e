"""What an answer says: its JSON text in UTF-8, and whether its source takes it for a page. Pure."""

import codecs
import json
import re
from dataclasses import dataclass
from http import HTTPStatus

from services.extractor.fetch import Answer
from shared import lenient_json
from shared.datasets.source import NO_COUNTS, PageCounts, Source, UnexpectedAnswerError

CHARSET = re.compile(r"""charset\s*=\s*["']?([^"'\s;]+)""", re.IGNORECASE)
UTF_8 = {"utf-8", "utf-8-sig"}
WHITE_SPACE = b" \t\r\n"  # JSON's
NO_CONTENT = b"204 No Content"  # sent as a body with 200 by the Historic JOA API
NULL = b"null"


@dataclass(frozen=True)
class Page:
    """An answer that its source takes for a page: `text` is what came, as JSON in UTF-8; of status 204 `null`."""

    status: int
    text: bytes
    payload: object
    counts: PageCounts


def page(source: Source, answer: Answer) -> Page:
    """The answer as a page. Raises UnexpectedAnswerError for what is not JSON, or none of the source's."""
    text = json_text(answer)
    payload = parsed(text)
    if payload is None:
        return Page(HTTPStatus.NO_CONTENT, text, payload, NO_COUNTS)
    return Page(answer.status, text, payload, source.check_page(payload))


def parsed(text: bytes) -> object:
    """Of a JSON text; flaws inside its texts are for the transformer to judge. Raises UnexpectedAnswerError."""
    try:
        return lenient_json.outline(text)
    except ValueError as error:
        message = f"not JSON: {error}"
        raise UnexpectedAnswerError(message) from error


def json_text(answer: Answer) -> bytes:
    """What came, in UTF-8, without a byte order mark and white space round it; `null` where nothing came, and says so.

    Raises UnexpectedAnswerError for what is not text, and for a `null` that no status announces.
    JSON tells UTF-16 and UTF-32 by its first bytes; for anything else the charset that is declared counts, then UTF-8.
    """
    if _is_empty(answer):
        return NULL
    encoding: str = json.detect_encoding(answer.body)
    if encoding == "utf-8":
        encoding = _declared(answer.headers.get("content-type", ""))
    text = _recoded(answer.body, encoding).strip(WHITE_SPACE).removeprefix(codecs.BOM_UTF8).strip(WHITE_SPACE)
    if text == NULL:
        message = f"null, with status {answer.status}"
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


def _is_empty(answer: Answer) -> bool:
    return answer.status == HTTPStatus.NO_CONTENT or answer.body.strip() == NO_CONTENT


def _declared(content_type: str) -> str:
    """The charset of a Content-Type, or UTF-8. That it has no units of 16 or 32 bits the bytes have shown already."""
    given = CHARSET.search(content_type)
    try:
        encoding = codecs.lookup(given[1] if given else "utf-8").name
        "".encode(encoding)  # LookupError for a codec that is not of text
    except (LookupError, ValueError):
        return "utf-8"
    return "utf-8" if encoding.startswith(("utf-16", "utf-32")) else encoding
