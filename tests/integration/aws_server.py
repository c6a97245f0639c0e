"""A server that answers every request of boto3 with one of S3's errors, and gives role credentials as ECS does."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CREDENTIALS_LAST = timedelta(minutes=5)  # less than botocore wants to have left: each request fetches new ones


class AwsServer(ThreadingHTTPServer):
    """`error` is (status, code, message); without it a GET brings `content`, if signed with the newest credentials."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.error: tuple[int, str, str] | None = None
        self.content = b"content"
        self.issued = 0
        self.keys: tuple[str, str] | None = None  # to hand out; by default new ones each time
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """As S3, and as the endpoint that the environment of an ECS task names."""

    server: AwsServer

    def do_GET(self) -> None:
        if self.path == "/credentials":
            self._send(200, json.dumps(self._credentials()).encode())
        elif self.server.error:
            self._fail(*self.server.error)
        elif self.server.issued and f"Credential=key-{self.server.issued}/" not in self.headers["Authorization"]:
            self._fail(400, "ExpiredToken", "The provided token has expired.")
        else:
            self._send(200, self.server.content)

    def _credentials(self) -> dict[str, str]:
        self.server.issued += 1
        expiration = f"{datetime.now(UTC) + CREDENTIALS_LAST:%Y-%m-%dT%H:%M:%SZ}"
        access_key, secret_key = self.server.keys or (f"key-{self.server.issued}", "s")
        return {
            "AccessKeyId": access_key, "SecretAccessKey": secret_key, "Token": "t", "Expiration": expiration,
        }  # fmt: skip

    def _fail(self, status: int, code: str, message: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Wed, 03 Sep 2025 12:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[AwsServer]:
    """The server, until left."""
    with AwsServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
