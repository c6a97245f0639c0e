"""`python -m infra.embedded.emulator FOLDER [--make-resources]`, with the settings of `ministack` in the environment.

FOLDER holds the emulator's state. With `--make-resources`, which is for containers, it passes for healthy once bucket,
queues and notifications are there.
"""

import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, Final

import ministack.app
from ministack.services import sqs

from infra.embedded import aws
from infra.embedded.emulator import listing
from infra.embedded.emulator.access import HEALTH, LOOPBACK, Credentials, body_to_verify, refusal
from infra.embedded.emulator.journal import Queue, QueueJournal
from infra.embedded.ports import accepts

RECORD_INTERVAL: Final = 0.2  # seconds; S3 and Scheduler send from threads of their own
CORS: Final = b"access-control-"

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Emulator:
    """An ASGI application round `ministack`'s."""

    def __init__(self, application: Any, hosts: frozenset[str], credentials: Credentials, folder: Path) -> None:
        self._application, self._hosts, self._credentials = application, hosts, credentials
        self._journal_file = folder / "queues.jsonl"
        self._journal: QueueJournal | None = None
        self.has_resources = threading.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        """Answer one request, or live through the life of the server."""
        if scope["type"] == "lifespan":
            await self._application(scope, self._recording_at_shutdown(receive), self._recording_at_start(send))
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: dict[str, Any], receive: Any, send: Send) -> None:
        body, receive = await body_to_verify(scope, receive)
        if why := refusal(scope, self._hosts, self._credentials, body):
            await _respond(send, 403, f"<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>")
        elif scope["path"] == HEALTH and not self.has_resources.is_set():
            await _respond(send, 503, "resources are being made")
        else:
            recording = self._recording(send)
            is_listing = listing.must_encode(scope["query_string"])
            await self._application(scope, receive, listing.encoding(recording) if is_listing else recording)

    def _recording(self, send: Send) -> Send:
        async def recording(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self._record()
                message["headers"] = [h for h in message["headers"] if not h[0].lower().startswith(CORS)]
            await send(message)

        return recording

    def _recording_at_start(self, send: Send) -> Send:
        async def starting(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._journal = QueueJournal(self._journal_file, _queues)
                self._record()
                threading.Thread(target=self._record_forever, name="journal", daemon=True).start()
            await send(message)

        return starting

    def _recording_at_shutdown(self, receive: Any) -> Any:
        async def stopping() -> Any:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._record()
            return message

        return stopping

    def _record_forever(self) -> None:
        while True:
            time.sleep(RECORD_INTERVAL)
            self._record()

    def _record(self) -> None:
        if self._journal:
            self._journal.record()


def _queues() -> list[Queue]:
    return list(sqs._queues._data.values())  # noqa: SLF001 - of every account; the version of ministack is pinned


async def _respond(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"application/xml"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def _make_resources(emulator: Emulator, port: int, folder: Path, credentials: Credentials) -> None:
    while not accepts(port):
        time.sleep(0.1)
    aws.take_saved_queues(folder)
    aws.ensure_resources(port, credentials.secret_key)
    emulator.has_resources.set()


def main(folder: Path, *, make_resources: bool) -> None:
    """Serve until SIGTERM."""
    environment = os.environ
    credentials = Credentials(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"])
    name = environment["MINISTACK_HOST"]
    emulator = Emulator(ministack.app.app, LOOPBACK | {name, f"{aws.BUCKET}.{name}"}, credentials, folder)
    if make_resources:
        port = int(environment["GATEWAY_PORT"])
        threading.Thread(target=_make_resources, args=(emulator, port, folder, credentials), daemon=True).start()
    else:
        emulator.has_resources.set()
    ministack.app.app = emulator  # what its `main` serves
    sys.argv = sys.argv[:1]  # which are its options
    ministack.app.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]), make_resources="--make-resources" in sys.argv)
