"""A REST API over HTTP: 25 records, with each kind of pagination and of authentication."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

RECORDS = [{"id": f"r{number}", "city": "Chicago" if number % 2 else "Boston"} for number in range(25)]
PAGE = 10
SECRET = "s3cret/+ é"  # noqa: S105 - of this server


@dataclass
class Call:
    """A request as the server received it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class RestServer:
    """`status` is the answer to the next requests, one each, before they are served; `tokens` are those given out."""

    url: str
    calls: list[Call] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)  # with `updated_at`; the test changes them
    orders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # {id of an order: its items}
    hidden: int = 0  # of the changes announced, not sent

    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    def answer(self, call: Call) -> tuple[int, dict[str, str], Any]:
        """(status, headers, JSON)."""
        self.calls.append(call)
        if self.statuses:
            return self.statuses.pop(0), {}, {"error": "as the test wants it"}
        kind, _, rest = call.path.strip("/").partition("/")
        return getattr(self, f"_{kind}")(call, rest)

    def _page(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        number = int(call.query["page"])
        return 200, {}, {"items": _slice(call, number * PAGE - PAGE), "total": 25, "pages": 3}

    def _offset(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        return 200, {}, {"items": _slice(call, int(call.query["offset"]), PAGE - 3), "total": 25}

    def _cursor(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        start = int((call.query.get("cursor") or "c0")[1:])
        after = {"next": f"c{start + PAGE}"} if start + PAGE < 25 else {}
        return 200, {}, {"items": _slice(call, start), "meta": after}

    def _body(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        assert call.method == "POST"
        start = call.body["variables"].get("after", "c0")
        return self._cursor(Call("GET", "", {"cursor": start}, {}, None), "")

    def _number(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        assert isinstance(call.body["page"], int)
        return self._page(Call("POST", "", {"page": str(call.body["page"])}, {}, None), "")

    def _link(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        start = int(call.query.get("start", "0"))
        query = urlencode([("tag", "a"), ("tag", "b"), ("start", start + PAGE), ("api_key", SECRET)])
        link = f"http://127.0.0.1:1/link?{query}" if start + PAGE < 25 else None
        return 200, {}, {"items": _slice(call, start), "links": {"next": link}}

    def _header(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        start = int(call.query.get("start", "0"))
        follows = start + PAGE < 25
        links = '<?start=0>; rel="first"' + (f', </header?start={start + PAGE}>; rel="next"' if follows else "")
        return 200, {"Link": links, "X-Next": str(start + PAGE) if follows else ""}, _slice(call, start)

    def _changes(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        """Those since a time, two a page."""
        since, start = call.query.get("since", ""), int(call.query["page"]) * 2 - 2
        matching = [record for record in self.changes if str(record["updated_at"]) >= since]
        return 200, {}, {"items": matching[start : start + 2], "total": len(matching) + self.hidden}

    def _orders(self, call: Call, rest: str) -> tuple[int, dict[str, str], Any]:
        """The orders, two a page; or the items of one of them, one a page."""
        order = unquote(rest.partition("/")[0])
        start = int(call.query.get("from") or "0")
        size = 1 if order else 2
        if order and order not in self.orders:
            return 404, {}, {"error": "no such order"}
        listed = self.orders[order] if order else [{"id": name, "shop": {"number": 7}} for name in self.orders]
        following = {"next": str(start + size)} if start + size < len(listed) else {}
        return 200, {}, {"items" if order else "orders": listed[start : start + size], "meta": following}

    def _same(self, _call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        return 200, {}, {"items": RECORDS[:PAGE]}

    def _circle(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        start = int((call.query.get("cursor") or "c0")[1:])
        return 200, {}, {"items": RECORDS[start : start + 1], "meta": {"next": f"c{(start + 1) % 3}"}}

    def _elsewhere(self, _call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        return 200, {}, {"items": RECORDS[:1], "links": {"next": "https://evil.test/steal"}}

    def _city(self, _call: Call, rest: str) -> tuple[int, dict[str, str], Any]:
        return 200, {}, {"items": [record for record in RECORDS if record["city"] == rest]}

    def _moved(self, _call: Call, rest: str) -> tuple[int, dict[str, str], Any]:
        return int(rest), {"Location": "/same"}, {}

    def _token(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        granted = call.headers.get("authorization") == basic("id", SECRET) or call.body.get("client_secret") == SECRET
        if not granted or call.body["grant_type"] != "client_credentials":
            return 401, {}, {"error": "invalid_client"}
        self.tokens.append(f"token{len(self.tokens)}")
        return 200, {}, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600}

    def _private(self, call: Call, _rest: str) -> tuple[int, dict[str, str], Any]:
        good = {f"Bearer {SECRET}".encode().decode("latin-1"), basic("id", SECRET)}
        good |= {f"Bearer {token}" for token in self.tokens[-1:]}
        own = (call.headers.get("x-key", ""), call.query.get("api_key"))
        is_good = call.headers.get("authorization") in good or own[0] == "plain" or own[1] == SECRET
        return (200, {}, {"items": RECORDS}) if is_good else (401, {}, {"error": "who are you?"})


def basic(username: str, password: str) -> str:
    """The header `Authorization`."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _slice(_call: Call, start: int, size: int = PAGE) -> list[dict[str, str]]:
    return RECORDS[start : start + size]


@contextmanager
def rest_server() -> Iterator[RestServer]:
    """Serves on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(None)

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_form = self.headers["Content-Type"] == "application/x-www-form-urlencoded"
            self._serve(dict(parse_qsl(sent.decode())) if is_form else json.loads(sent))

        def _serve(self, body: Any) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            status, extra, content = served.answer(call)
            written = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**extra, "Content-Length": str(len(written))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(written)

        def date_time_string(self, _timestamp: float | None = None) -> str:
            """Each response is a second later than the one before, as observations are ordered by their seconds."""
            return format_datetime(began + timedelta(seconds=len(served.calls)), usegmt=True)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    began = datetime.now(UTC) - timedelta(days=1)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = RestServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
