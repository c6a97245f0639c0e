"""One request over a real socket, and what becomes of each kind of answer."""

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from services.extractor import fetch as module
from services.extractor.fetch import RateLimitedError, Response, client, fetch
from shared.datasets.source import Request
from shared.engine.retry import MAX_SOURCE_WAIT_SECONDS
from shared.errors import PermanentError, TransientError

BODY = b'{ "a": 1.10 }\n'
LARGEST = 1_000


@dataclass
class Server:
    """Gives one answer to every request, and keeps what it was asked."""

    url: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = BODY
    missing: int = 0  # bytes that Content-Length promises and that never come
    moved: str = ""  # where the first address leads, with `status_of_moved`
    status_of_moved: int = 302
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answers(self, status: int = 200, body: bytes = BODY, missing: int = 0, **headers: str) -> None:
        """What it says from now on; `retry_after` is the header Retry-After."""
        self.status, self.body, self.missing = status, body, missing
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def _handler(server: Callable[[], Server]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = server()
            given.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if given.moved and len(given.asked) == 1:
                self.send_response(given.status_of_moved)
                self.send_header("Location", given.moved)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(given.status)
            self.send_header("Content-Length", str(len(given.body) + given.missing))
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: given))
    given = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield given
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with client() as shared:
        yield shared


def request(server: Server) -> Request:
    return Request(f"{server.url}/api/Search", {"Keyword": "a b&c", "Page": "2"}, {"Authorization-Key": "s3cret"})


def failure(http: httpx.Client, server: Server) -> Exception:
    """The error that a request ends in; it never tells the key."""
    with pytest.raises((PermanentError, TransientError)) as raised:
        fetch(http, request(server), LARGEST)
    assert "s3cret" not in str(raised.value)
    return raised.value


def test_a_json_answer_is_kept_byte_by_byte(http: httpx.Client, server: Server) -> None:
    answer = fetch(http, request(server), LARGEST)
    assert (answer.status, answer.body) == (200, BODY)


def test_params_and_headers_are_sent(http: httpx.Client, server: Server) -> None:
    fetch(http, request(server), LARGEST)
    ((path, headers),) = server.asked
    assert path == "/api/Search?Keyword=a+b%26c&Page=2"
    assert headers["authorization-key"] == "s3cret"


def test_only_the_headers_on_the_list_are_kept(http: httpx.Client, server: Server) -> None:
    server.answers(ETag='"1"', Content_Type="application/json", Set_Cookie="session=s3cret", X_Api_Key="s3cret")
    answer = fetch(http, request(server), LARGEST)
    assert set(answer.headers) == {"content-type", "date", "etag"}
    assert "s3cret" not in str(answer)


def test_a_compressed_answer_is_kept_as_what_it_says(http: httpx.Client, server: Server) -> None:
    server.answers(body=gzip.compress(BODY), Content_Encoding="gzip")
    answer = fetch(http, request(server), LARGEST)
    assert answer == Response(200, answer.headers, BODY)
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("status", [403, 408, 425, 500, 502, 503, 504, *range(520, 527), 599])
def test_a_source_in_trouble_is_worth_another_try(http: httpx.Client, server: Server, status: int) -> None:
    server.answers(status)
    error = failure(http, server)
    assert type(error) is TransientError
    assert f": {status}" in str(error)
    assert error.after is None


@pytest.mark.parametrize("status", [206, 304, 400, 401, 404, 410, 418, 501, 505])
def test_an_answer_that_stays_the_same_is_not(http: httpx.Client, server: Server, status: int) -> None:
    server.answers(status)
    error = failure(http, server)
    assert type(error) is PermanentError
    assert f": {status} " in str(error)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_host_is_followed_with_the_key(http: httpx.Client, server: Server, status: int) -> None:
    server.moved, server.status_of_moved = "/elsewhere?a=b", status
    assert fetch(http, request(server), LARGEST).body == BODY
    assert [path for path, _ in server.asked] == ["/api/Search?Keyword=a+b%26c&Page=2", "/elsewhere?a=b"]
    assert server.asked[1][1]["authorization-key"] == "s3cret"


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("https://login.example.org/in?from=x", "redirects to https://login.example.org; not followed"),
        ("//127.0.0.2/api", "redirects to http://127.0.0.2; not followed"),
        ("https://127.0.0.1/", "redirects to https://127.0.0.1; not followed"),
        ("", "without a Location"),
    ],
)
def test_a_redirect_elsewhere_is_not_followed(http: httpx.Client, server: Server, location: str, leads_to: str) -> None:
    server.answers(302)
    server.headers = {"Location": location} if location else {}
    error = failure(http, server)
    assert type(error) is PermanentError
    assert f": 302 Found {leads_to}" in str(error)
    assert len(server.asked) == 1  # the key goes to nobody else


def test_redirects_come_to_an_end(http: httpx.Client, server: Server) -> None:
    server.answers(302, Location="/api/Search")
    error = failure(http, server)
    assert type(error) is PermanentError
    assert "more than 5 redirects" in str(error)
    assert len(server.asked) == 6


def test_a_key_that_is_refused_is_said_to_be(http: httpx.Client, server: Server) -> None:
    server.answers(401)
    assert "rejects the key or the User-Agent" in str(failure(http, server))


def test_too_many_requests_wait_as_long_as_was_asked(http: httpx.Client, server: Server) -> None:
    server.answers(429, retry_after="7")
    error = failure(http, server)
    assert isinstance(error, RateLimitedError)
    assert error.after == 7.0


def test_the_wait_may_be_given_as_a_date(http: httpx.Client, server: Server) -> None:
    server.answers(429, retry_after=format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True))
    error = failure(http, server)
    assert isinstance(error, RateLimitedError)
    assert error.after == pytest.approx(3600, abs=300)


def test_a_date_that_has_passed_is_no_wait(http: httpx.Client, server: Server) -> None:
    server.answers(503, retry_after="Wed, 03 Sep 2025 12:00:00 GMT")
    error = failure(http, server)
    assert isinstance(error, TransientError)
    assert error.after is None


def test_a_wait_of_days_is_cut_to_what_a_queue_can_hold(http: httpx.Client, server: Server) -> None:
    server.answers(503, retry_after="999999999")
    error = failure(http, server)
    assert isinstance(error, TransientError)
    assert error.after == MAX_SOURCE_WAIT_SECONDS


@pytest.mark.parametrize(
    "header", ["soon", "-5", "0", "1.5.5", "", "Wed, 99 Sep 2025", "Wed, 03 Sep 2025 12:00:00 -0000"]
)
def test_a_wait_that_cannot_be_read_is_none(http: httpx.Client, server: Server, header: str) -> None:
    server.answers(429, retry_after=header)
    error = failure(http, server)
    assert isinstance(error, RateLimitedError)
    assert error.after is None


@pytest.mark.parametrize("header", ["Wed, 03 Sep 99999999999999999999 12:00:00 GMT", "²"])
def test_a_wait_that_no_clock_can_hold_is_none(http: httpx.Client, server: Server, header: str) -> None:
    server.answers(429, retry_after=header)
    error = failure(http, server)
    assert isinstance(error, RateLimitedError)
    assert error.after is None


def test_an_answer_cut_short_is_worth_another_try(http: httpx.Client, server: Server) -> None:
    server.answers(missing=10)
    assert type(failure(http, server)) is TransientError


def test_compression_that_is_damaged_is_worth_another_try(http: httpx.Client, server: Server) -> None:
    server.answers(body=b"not gzip", Content_Encoding="gzip")
    assert type(failure(http, server)) is TransientError


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_over_the_limit_is_refused_by_what_it_expands_to(
    http: httpx.Client, server: Server, encoding: str
) -> None:
    large = b'"' + b"x" * 1000 + b'"'
    server.answers(body=gzip.compress(large) if encoding == "gzip" else large, Content_Encoding=encoding)
    error = failure(http, server)
    assert type(error) is PermanentError
    assert "larger than 1000 bytes" in str(error)


def test_an_answer_at_the_limit_is_taken(http: httpx.Client, server: Server) -> None:
    assert fetch(http, request(server), len(BODY)).body == BODY


def test_an_answer_not_complete_by_the_deadline_is_worth_another_try(
    http: httpx.Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", -1.0)  # any answer comes after it
    error = failure(http, server)
    assert type(error) is TransientError
    assert "not complete" in str(error)


def test_a_refused_connection_is_worth_another_try(http: httpx.Client) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        nobody = Server(f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert type(failure(http, nobody)) is TransientError
