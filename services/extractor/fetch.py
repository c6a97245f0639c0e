"""One bounded HTTP request, its failures sorted into those worth another try and those that are not."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from shared import lenient_json
from shared.datasets.contract import Request
from shared.errors import PermanentError, TransientError
from shared.version import VERSION

CONNECT_TIMEOUT = 5.0  # s
READ_TIMEOUT = 30.0  # s without a byte
DEADLINE = 60.0  # s for the whole answer
LARGEST_RESPONSE = 256 << 20  # bytes; the largest real page seen has 70 MB
STORED_HEADERS = ("content-type", "date", "etag", "last-modified")  # nothing that could carry a secret
SECONDS = re.compile(r"[0-9]{1,9}")
TOO_MANY_REQUESTS = 429
NOTHING = b"null"  # the body of an answer that has none: HTTP's 204, or its text
NO_CONTENT = b"204 No Content"
WORTH_ANOTHER_TRY = {408, 425, TOO_MANY_REQUESTS, 500, 502, 503, 504}


@dataclass(frozen=True)
class Answer:
    """A complete JSON answer: its bytes as they came, and the headers that may be stored."""

    status: int
    headers: dict[str, str]
    body: bytes


class RateLimitedError(TransientError):
    """The source answered 429."""


def client() -> httpx.Client:
    """A client to be shared by all requests of a process."""
    return httpx.Client(
        timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        headers={"User-Agent": f"smelt/{VERSION}"},  # where a source wants none of its own
        follow_redirects=False,
    )


def fetch(http: httpx.Client, request: Request) -> Answer:
    """Send a request and read the whole answer.

    Raises RateLimitedError or TransientError where another try may help: no connection, an answer cut short or too
    slow, 429, 5xx, a 200 that is not JSON. Raises PermanentError for any other status and for an answer too large.
    """
    try:
        with http.stream("GET", request.url, params=request.params, headers=request.headers) as response:
            body = _read(response)
    except httpx.HTTPError as error:
        message = f"{request.url}: {type(error).__name__}: {error}"
        raise TransientError(message) from error
    _check_status(request.url, response)
    status = response.status_code
    if status == httpx.codes.NO_CONTENT or body.strip() == NO_CONTENT:
        status, body = httpx.codes.NO_CONTENT, NOTHING
    try:
        lenient_json.loads(body)
    except ValueError as error:
        message = f"{request.url}: answered 200 with something that is not JSON"
        raise TransientError(message) from error
    headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
    return Answer(int(status), headers, body)


def _read(response: httpx.Response) -> bytes:
    deadline = time.monotonic() + DEADLINE
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > LARGEST_RESPONSE:
            message = f"{response.url.path}: answer larger than {LARGEST_RESPONSE} bytes"
            raise PermanentError(message)
        if time.monotonic() > deadline:
            message = f"{response.url.path}: answer not complete after {DEADLINE:.0f} s"
            raise TransientError(message)
    return bytes(body)


def _check_status(url: str, response: httpx.Response) -> None:
    status = response.status_code
    if status in {httpx.codes.OK, httpx.codes.NO_CONTENT}:
        return
    message = f"{url}: {status} {response.reason_phrase}"
    if status == httpx.codes.UNAUTHORIZED:
        message += ": the source refuses the key or the User-Agent"
    if status not in WORTH_ANOTHER_TRY:
        raise PermanentError(message)
    kind = RateLimitedError if status == TOO_MANY_REQUESTS else TransientError
    raise kind(message, after=_retry_after(response.headers.get("retry-after")))


def _retry_after(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header, which gives seconds or a date."""
    if not header:
        return None
    if SECONDS.fullmatch(header):
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
