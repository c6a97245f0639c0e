"""Which worker processes live and what they do now, told through Redis to whoever watches. Nothing depends on it."""

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
BEAT = 5.0  # s between the notes of a process to which nothing happens
PAUSE = 0.25  # s at least between two notes, however much happens
KEEP = 17  # s that a note outlives its writer: three beats may be missed
LONGEST_NOTE = 4_096  # characters of a body kept in a note


@dataclass(frozen=True)
class InFlightMessage:
    """A message that a process works on. `since` is in epoch seconds, by the clock of the worker."""

    message_id: str
    body: str
    receives: int
    since: float


@dataclass(frozen=True)
class WorkerStatus:
    """One working process, as it says itself. Times are in epoch seconds, by the clock of the worker.

    `settled` counts the messages that left the queue through this process: done, or buried as a dead letter.
    """

    service: str
    host: str
    pid: int
    since: float
    at: float
    working: tuple[InFlightMessage, ...]
    settled: int
    last_settled: float | None
    outage: Outage | None = None  # what its worker waits for


_NOTE = TypeAdapter(WorkerStatus)  # tolerates fields of newer workers


@dataclass(frozen=True)
class ObservedStatus:
    """A note, and how many seconds ago it was written, by the clock of Redis."""

    note: WorkerStatus
    ago: float

    def seconds_since(self, moment: float) -> float:
        """How long ago a moment of the worker's clock was, whatever ours says."""
        return self.note.at - moment + self.ago


class WorkerReporter:
    """Keeps this process's note. What the work calls touches memory only: Redis is a background thread's affair."""

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
        self._thread = threading.Thread(target=self._keep, name="presence", daemon=True)

    def start(self) -> None:
        """Note and go on noting. Call it in the process that does the work, after any fork."""
        self._thread.start()

    def begins(self, message: Message) -> None:
        """A message is in work."""
        work = InFlightMessage(message.id, message.body[:LONGEST_NOTE], message.receives, since=time.time())
        with self._lock:
            self._working[message.id] = work
        self._changed.set()

    def ends(self, message: Message, *, settled: bool) -> None:
        """It no longer is; `settled` if it has left the queue."""
        with self._lock:
            self._working.pop(message.id, None)
            if settled:
                self._settled += 1
                self._last_settled = time.time()
        self._changed.set()

    def leaves(self) -> None:
        """The process ends in order: its note goes with it."""
        self._left.set()
        self._changed.set()
        self._thread.join(2 * TIMEOUT)

    def _keep(self) -> None:
        key = f"{KEY}{self._service}:{self._host}:{self._pid}"
        while not self._left.is_set():
            self._changed.clear()
            self._tell(lambda: self._redis.set(key, orjson.dumps(self._note()), ex=KEEP))
            self._left.wait(PAUSE)
            self._changed.wait(BEAT)
        self._tell(lambda: self._redis.delete(key))

    def _tell(self, tell: Callable[[], object]) -> None:
        try:
            tell()
        except (redis.RedisError, orjson.JSONEncodeError) as error:
            log.info("presence.not_noted", error=str(error))

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
    """Reads the notes of all processes."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)

    def current(self) -> list[ObservedStatus]:
        """Who has been heard of lately, by service, host and process. Raises redis.RedisError.

        Also of a Redis that takes no writes (no memory left, a read-only replica): then nobody could be heard of.
        """
        self._redis.set(WRITABLE, 1, ex=KEEP)
        return sorted(self._seen(), key=lambda seen: (seen.note.service, seen.note.host, seen.note.pid))

    def _seen(self) -> Iterator[ObservedStatus]:
        for key in self._redis.scan_iter(match=KEY + "*", count=1_000):
            both = self._redis.pipeline()
            both.get(key)
            both.pttl(key)
            noted, left = both.execute()
            try:
                if noted:
                    yield ObservedStatus(_NOTE.validate_json(noted), max(0.0, KEEP - left / 1000))
            except ValidationError:  # of a worker of another version
                log.warning("presence.unreadable", key=str(key))
