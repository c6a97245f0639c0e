"""Messages that failed and will be retried, recorded in Redis for operators. Only a display depends on it."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import redis
import structlog

from shared.cache.redis_client import PREFIX, client
from shared.engine.message import Message

log = structlog.get_logger()

KEY = f"{PREFIX}retry:"
GRACE_SECONDS = 60  # that an entry remains after the next attempt is due


@dataclass(frozen=True)
class PendingRetry:
    """A message waiting for a retry. `again_at` is in epoch seconds, by the clock of the worker."""

    message_id: str
    body: str
    service: str
    error: str
    attempt: int
    attempts: int
    again_at: float


class PendingRetryStore:
    """Stores the pending retries of all workers in Redis."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)

    def put(self, retry: PendingRetry, after: float) -> None:
        """Record a message that will be retried in `after` seconds."""
        try:
            self._redis.set(KEY + retry.message_id, orjson.dumps(retry), ex=round(after) + GRACE_SECONDS)
        except redis.RedisError as error:
            log.warning("pending_retry.not_stored", error=str(error))

    def remove(self, message: Message) -> None:
        """Remove a message that is done or dead; only messages delivered before have an entry."""
        if message.was_tried:
            try:
                self._redis.delete(KEY + message.id)
            except redis.RedisError as error:
                log.warning("pending_retry.not_removed", error=str(error))

    def current(self) -> Iterator[PendingRetry]:
        """All pending retries. Raises redis.RedisError."""
        for key in self._redis.scan_iter(match=KEY + "*", count=1_000):
            if noted := self._redis.get(key):
                yield PendingRetry(**orjson.loads(noted))
