"""One bounded HTTP request, its failures sorted into those worth another try and those that are not."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from services.extractor import statuses
from services.extractor.statuses import Outcome
from shared.datasets.source import Request
from shared.engine.retry import MAX_SOURCE_WAIT_SECONDS
from shared.errors import PermanentError, TransientError
from shared.version import VERSION

CONNECT_TIMEOUT = 5.0  # s
READ_TIMEOUT = 30.0  # s without a byte
DEADLINE = 60.0  # s to read the body of one response
MAX_REDIRECTS = 5
STORED_HEADERS = ("content-type", "date", "etag", "last-modified")  # nothing that could carry a secret
SECONDS = re.compile(r"[0-9]{1,9}")
TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class Answer:
    """A complete response: its body after content decoding, otherwise byte for byte, and the headers to store."""

    status: int
    headers: Mapping[str, str]
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


def fetch(http: httpx.Client, request: Request, largest: int) -> Answer:
    """Send a request, follow redirects within its host, and read the whole answer, of at most `largest` bytes.

    `services.extractor.statuses` has what a status leads to. Raises RateLimitedError or TransientError where another
    try may help: also for no connection, and for an answer cut short or too slow. Otherwise raises PermanentError.
    """
    url, params = request.url, request.params or None
    for _ in range(MAX_REDIRECTS + 1):
        try:
            with http.stream("GET", url, params=params, headers=request.headers) as response:
                outcome = statuses.outcome(response.status_code)
                if outcome is Outcome.READ:
                    body = _read(response, largest)
                    headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
                    return Answer(response.status_code, headers, body)
        except httpx.HTTPError as error:
            message = f"{request.url}: {type(error).__name__}: {error}"
            raise TransientError(message) from error
        if outcome is not Outcome.FOLLOW:
            raise _failure(request.url, response, outcome)
        url, params = _redirected(request.url, response), None
    message = f"{request.url}: more than {MAX_REDIRECTS} redirects, the last one {_described(response)}"
    raise PermanentError(message)


def _read(response: httpx.Response, largest: int) -> bytes:
    deadline = time.monotonic() + DEADLINE
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > largest:
            message = (
                f"{response.url.path}: answer larger than {largest} bytes, the limit that SMELT_MAX_DOCUMENT_MIB sets"
            )
            raise PermanentError(message)
        if time.monotonic() > deadline:
            message = f"{response.url.path}: answer not complete after {DEADLINE:.0f} s"
            raise TransientError(message)
    return bytes(body)


def _redirected(url: str, response: httpx.Response) -> str:
    """Where the answer leads. Raises PermanentError for any other origin, which must not see the key in the headers."""
    following, origin = response.next_request, response.url
    if following is None:
        message = f"{url}: {_described(response)} without a Location"
        raise PermanentError(message)
    target = following.url
    if (target.scheme, target.host, target.port) != (origin.scheme, origin.host, origin.port):
        message = (
            f"{url}: {_described(response)} leads to {target.scheme}://{target.netloc.decode()}, and is not followed"
        )
        raise PermanentError(message)
    return str(target)


def _failure(url: str, response: httpx.Response, outcome: Outcome) -> PermanentError | TransientError:
    hint = statuses.HINTS.get(response.status_code)
    message = f"{url}: {_described(response)}" + (f": {hint}" if hint else "")
    if outcome is Outcome.REFUSE:
        return PermanentError(message)
    kind = RateLimitedError if response.status_code == TOO_MANY_REQUESTS else TransientError
    return kind(message, after=_retry_after(response.headers.get("retry-after")))


def _described(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".rstrip()


def _retry_after(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header, which gives seconds or a date; None where it asks for no wait."""
    if not header:
        return None
    try:
        given = SECONDS.fullmatch(header)
        wait = float(header) if given else (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(wait, MAX_SOURCE_WAIT_SECONDS) if wait > 0 else None
