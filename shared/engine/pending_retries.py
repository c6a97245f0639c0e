"""Messages that failed and will be tried again, told through Redis to whoever watches. Nothing depends on it."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import redis
import structlog

from shared.cache.redis_client import PREFIX, client
from shared.engine.message import Message

log = structlog.get_logger()

KEY = f"{PREFIX}trouble:"
GRACE = 60  # s that a note outlives the moment of the next attempt


@dataclass(frozen=True)
class PendingRetry:
    """Why a message waits. `again_at` is in epoch seconds, by the clock of the worker that failed."""

    message_id: str
    body: str
    service: str
    error: str
    attempt: int
    attempts: int
    again_at: float


class PendingRetryStore:
    """Where workers note what they will try again."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)

    def note(self, trouble: PendingRetry, after: float) -> None:
        """Note a message that will be tried again in `after` seconds."""
        try:
            self._redis.set(KEY + trouble.message_id, orjson.dumps(trouble), ex=round(after) + GRACE)
        except redis.RedisError as error:
            log.warning("trouble.not_noted", error=str(error))

    def settled(self, message: Message) -> None:
        """A message is done or dead; only one that failed before can have a note."""
        if message.was_tried:
            try:
                self._redis.delete(KEY + message.id)
            except redis.RedisError as error:
                log.warning("trouble.not_cleared", error=str(error))

    def current(self) -> Iterator[PendingRetry]:
        """All notes. Raises redis.RedisError."""
        for key in self._redis.scan_iter(match=KEY + "*", count=1_000):
            if noted := self._redis.get(key):
                yield PendingRetry(**orjson.loads(noted))
