"""Status of worker processes, reported through Redis for operators. Only displays depend on it."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson
import redis
import structlog
from pydantic import TypeAdapter, ValidationError

from shared.cache.redis_client import PREFIX, TIMEOUT, client
from shared.engine.availability import Outage
from shared.engine.message import Message

log = structlog.get_logger()

KEY = f"{PREFIX}worker:"
WRITABLE = f"{PREFIX}writable"
STATUS_INTERVAL_SECONDS = 5.0  # between reports of an idle process
MIN_INTERVAL_SECONDS = 0.25  # between two reports, however many changes
STATUS_TTL_SECONDS = 17  # of a report: three may be missed
MAX_BODY_LENGTH = 4_096  # characters of a body in a report


@dataclass(frozen=True)
class InFlightMessage:
    """A message being handled. `since` is in epoch seconds, by the worker's clock."""

    message_id: str
    body: str
    receives: int
    since: float


@dataclass(frozen=True)
class WorkerStatus:
    """The status of one process, as it reports it. Times are in epoch seconds, by the worker's clock.

    `settled` counts the messages that left the queue through this process: completed or moved to the DLQ.
    """

    service: str
    host: str
    pid: int
    since: float
    at: float
    working: tuple[InFlightMessage, ...]
    settled: int
    last_settled: float | None
    outage: Outage | None = None  # the part its worker waits for


_NOTE = TypeAdapter(WorkerStatus)  # ignores fields of newer versions


@dataclass(frozen=True)
class ObservedStatus:
    """A status, and its age in seconds by Redis's clock."""

    note: WorkerStatus
    ago: float

    def seconds_since(self, moment: float) -> float:
        """Seconds since a time of the worker's clock, regardless of ours."""
        return self.note.at - moment + self.ago


class WorkerReporter:
    """Reports this process's status. Callers only touch memory; a background thread writes to Redis."""

    def __init__(self, redis_url: str, service: str, outage: Callable[[], Outage | None] = lambda: None) -> None:
        self._redis = client(redis_url)
        self._outage = outage
        self._service, self._host, self._pid = service, socket.gethostname(), os.getpid()
        self._since = time.time()
        self._working: dict[str, InFlightMessage] = {}
        self._settled = 0
        self._last_settled: float | None = None
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-status", daemon=True)

    def start(self) -> None:
        """Start reporting. Call it in the process that does the work, after any fork."""
        self._thread.start()

    def message_started(self, message: Message) -> None:
        """Report a message as in flight."""
        work = InFlightMessage(message.id, message.body[:MAX_BODY_LENGTH], message.receives, since=time.time())
        with self._lock:
            self._working[message.id] = work
        self._changed.set()

    def message_finished(self, message: Message, *, settled: bool) -> None:
        """Report a message as no longer in flight; `settled` if it has left the queue."""
        with self._lock:
            self._working.pop(message.id, None)
            if settled:
                self._settled += 1
                self._last_settled = time.time()
        self._changed.set()

    def stop(self) -> None:
        """Remove the status at an orderly exit."""
        self._left.set()
        self._changed.set()
        self._thread.join(2 * TIMEOUT)

    def _run(self) -> None:
        key = f"{KEY}{self._service}:{self._host}:{self._pid}"
        while not self._left.is_set():
            self._changed.clear()
            self._write(lambda: self._redis.set(key, orjson.dumps(self._note()), ex=STATUS_TTL_SECONDS))
            self._left.wait(MIN_INTERVAL_SECONDS)
            self._changed.wait(STATUS_INTERVAL_SECONDS)
        self._write(lambda: self._redis.delete(key))

    def _write(self, write: Callable[[], object]) -> None:
        try:
            write()
        except (redis.RedisError, orjson.JSONEncodeError) as error:
            log.info("worker_status.not_stored", error=str(error))

    def _note(self) -> WorkerStatus:
        with self._lock:
            return WorkerStatus(
                service=self._service,
                host=self._host,
                pid=self._pid,
                since=self._since,
                at=time.time(),
                working=tuple(self._working.values()),
                settled=self._settled,
                last_settled=self._last_settled,
                outage=self._outage(),
            )


class WorkerRegistry:
    """Reads the statuses of all processes."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)

    def current(self) -> list[ObservedStatus]:
        """Current statuses by service, host and process. Raises redis.RedisError.

        Also raises if Redis accepts no writes (out of memory, read-only replica): then no worker could have reported.
        """
        self._redis.set(WRITABLE, 1, ex=STATUS_TTL_SECONDS)
        return sorted(self._statuses(), key=lambda status: (status.note.service, status.note.host, status.note.pid))

    def _statuses(self) -> Iterator[ObservedStatus]:
        for key in self._redis.scan_iter(match=KEY + "*", count=1_000):
            pipeline = self._redis.pipeline()
            pipeline.get(key)
            pipeline.pttl(key)
            value, ttl = pipeline.execute()
            try:
                if value:
                    yield ObservedStatus(_NOTE.validate_json(value), max(0.0, STATUS_TTL_SECONDS - ttl / 1000))
            except ValidationError:  # written by an incompatible version
                log.warning("worker_status.unreadable", key=str(key))
