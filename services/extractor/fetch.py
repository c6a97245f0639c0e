"""One HTTP request with limits on size and time, and its failures classified as transient or permanent."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType

import httpx

from services.extractor import statuses
from services.extractor.statuses import Outcome
from shared.datasets.source import Request, StatusRule
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
RULES: Mapping[StatusRule, Outcome] = MappingProxyType({"retry": Outcome.RETRY, "fail": Outcome.DEAD_LETTER})


@dataclass(frozen=True)
class Response:
    """A complete response. `body` is content-decoded and otherwise unchanged; `headers` are those to store."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RateLimitedError(TransientError):
    """The source responded with 429."""


def client() -> httpx.Client:
    """An HTTP client, shared by all requests of a process."""
    return httpx.Client(
        timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
        headers={"User-Agent": f"smelt/{VERSION}"},  # unless the source sets its own
        follow_redirects=False,
    )


def fetch(http: httpx.Client, request: Request, max_bytes: int) -> Response:
    """Send a request, follow redirects within its origin, and read the whole response, of at most `max_bytes` bytes.

    The request or else `services.extractor.statuses` says what each status leads to. Raises RateLimitedError or
    TransientError if a retry may help (also for connection errors and for truncated or slow responses), otherwise
    PermanentError.
    """
    url, params, body = request.url, request.params or None, request.body
    for _ in range(MAX_REDIRECTS + 1):
        method = "GET" if body is None else "POST"
        try:
            with http.stream(
                method,
                url,
                params=params,
                headers=request.headers,
                json=body,
                auth=request.auth or httpx.USE_CLIENT_DEFAULT,
            ) as response:
                rule = request.statuses.get(response.status_code)
                if rule == "empty":
                    return Response(HTTPStatus.NO_CONTENT, _stored_headers(request, response), b"")
                outcome = RULES[rule] if rule else statuses.outcome(response.status_code)
                if outcome is Outcome.READ:
                    return Response(
                        response.status_code, _stored_headers(request, response), _read(response, max_bytes)
                    )
        except httpx.HTTPError as error:
            message = f"{request.url}: {type(error).__name__}: {error}"
            raise TransientError(message) from error
        if outcome is not Outcome.FOLLOW:
            raise _failure(request.url, response, outcome)
        url, params = _redirect_target(request.url, response), None
        if response.next_request and response.next_request.method == "GET":
            body = None
    message = f"{request.url}: more than {MAX_REDIRECTS} redirects, the last one {_status_line(response)}"
    raise PermanentError(message)


def _stored_headers(request: Request, response: httpx.Response) -> dict[str, str]:
    names = (*STORED_HEADERS, *request.keep_headers)
    return {name: response.headers[name] for name in names if name in response.headers}


def _read(response: httpx.Response, max_bytes: int) -> bytes:
    deadline = time.monotonic() + DEADLINE
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > max_bytes:
            message = (
                f"{response.url.path}: response larger than {max_bytes} bytes, the limit set by SMELT_MAX_DOCUMENT_MIB"
            )
            raise PermanentError(message)
        if time.monotonic() > deadline:
            message = f"{response.url.path}: response not complete after {DEADLINE:.0f} s"
            raise TransientError(message)
    return bytes(body)


def _redirect_target(url: str, response: httpx.Response) -> str:
    """The redirect's target.

    Raises PermanentError for another origin, which must not receive the key in the headers.
    """
    redirect, origin = response.next_request, response.url
    if redirect is None:
        message = f"{url}: {_status_line(response)} without a Location"
        raise PermanentError(message)
    target = redirect.url
    if (target.scheme, target.host, target.port) != (origin.scheme, origin.host, origin.port):
        message = (
            f"{url}: {_status_line(response)} redirects to {target.scheme}://{target.netloc.decode()}; not followed"
        )
        raise PermanentError(message)
    return str(target)


def _failure(url: str, response: httpx.Response, outcome: Outcome) -> PermanentError | TransientError:
    hint = statuses.HINTS.get(response.status_code)
    message = f"{url}: {_status_line(response)}" + (f": {hint}" if hint else "")
    if outcome is Outcome.DEAD_LETTER:
        return PermanentError(message)
    kind = RateLimitedError if response.status_code == TOO_MANY_REQUESTS else TransientError
    return kind(message, after=_retry_after(response.headers.get("retry-after")))


def _status_line(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".rstrip()


def _retry_after(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header (seconds or a date), or None."""
    if not header:
        return None
    try:
        is_seconds = SECONDS.fullmatch(header)
        wait = float(header) if is_seconds else (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(wait, MAX_SOURCE_WAIT_SECONDS) if wait > 0 else None
