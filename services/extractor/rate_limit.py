"""Rate limit of requests to a source, shared by all extractors through Redis; without Redis it applies per process."""

import time

import redis
import structlog
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from shared.errors import TransientError

log = structlog.get_logger()

TIMEOUT_SECONDS = 2.0  # for Redis to respond
MAX_PAUSE_IN_WORKER_SECONDS = 60  # longer pauses put the message back


def connection_pool(redis_url: str) -> redis.ConnectionPool:
    """A Redis connection pool with short timeouts."""
    return redis.ConnectionPool.from_url(
        redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )


class RateLimit:
    """Delays each request to keep the rate limit, and pauses all extractors when a source asks for it."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)
        self._shared = MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool))
        self._alone = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, source: str, per_second: int) -> None:
        """Block until a request may be sent.

        Raises TransientError if the source is paused for longer than a worker waits.
        """
        limiter = self._shared
        item = self.item(per_second)
        try:
            self._wait_out_pause(source)
        except redis.RedisError as error:
            limiter = self._fallback(error)
        while True:
            try:
                if limiter.hit(item, "smelt", "requests", source):
                    return
            except redis.RedisError as error:
                limiter = self._fallback(error)
                continue
            time.sleep(1 / per_second)

    @staticmethod
    def item(per_second: int) -> RateLimitItemPerSecond:
        """The limit as an item of the `limits` library."""
        return RateLimitItemPerSecond(per_second)

    def pause(self, source: str, seconds: float) -> None:
        """Stop all extractors from sending requests to the source for this time."""
        try:
            self._redis.set(_pause_key(source), 1, px=max(1, round(seconds * 1000)))
        except redis.RedisError as error:
            self._fallback(error)

    def _wait_out_pause(self, source: str) -> None:
        left = int(self._redis.pttl(_pause_key(source))) / 1000
        if left > MAX_PAUSE_IN_WORKER_SECONDS:
            message = f"{source} asked for a pause; {left:.0f} s left"
            raise TransientError(message, after=left)
        if left > 0:
            time.sleep(left)

    def _fallback(self, error: redis.RedisError) -> MovingWindowRateLimiter:
        log.warning("rate_limit.not_shared", error=str(error))
        return self._alone


def _pause_key(source: str) -> str:
    return f"smelt:pause:{source}"
