"""The request rate to a source, shared by all extractors through Redis; without Redis each keeps to it by itself."""

import time

import redis
import structlog
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from shared.errors import TransientError

log = structlog.get_logger()

TIMEOUT = 2.0  # s for an answer of Redis, which a request must not wait for longer
MAX_PAUSE_IN_WORKER_SECONDS = 60  # for a source that asked for a pause; for longer ones the message is put back


def connection_pool(redis_url: str) -> redis.ConnectionPool:
    """Connections to Redis that give up soon."""
    return redis.ConnectionPool.from_url(redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)


class RateLimit:
    """Waits its turn before each request, and holds all extractors back while a source has asked for a pause."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)
        self._shared = MovingWindowRateLimiter(RedisStorage("redis://", connection_pool=pool))
        self._alone = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, source: str, per_second: int) -> None:
        """Return when a request may be sent. Raises TransientError for a pause longer than we wait."""
        limiter = self._shared
        item = self.item(per_second)
        try:
            self._wait_out_hold(source)
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
        """The limit as `limits` knows it."""
        return RateLimitItemPerSecond(per_second)

    def hold(self, source: str, seconds: float) -> None:
        """The source asked for a pause: no extractor sends it anything for so long."""
        try:
            self._redis.set(_hold_key(source), 1, px=max(1, round(seconds * 1000)))
        except redis.RedisError as error:
            self._fallback(error)

    def _wait_out_hold(self, source: str) -> None:
        left = int(self._redis.pttl(_hold_key(source))) / 1000
        if left > MAX_PAUSE_IN_WORKER_SECONDS:
            message = f"{source} asked for a pause of {left:.0f} s more"
            raise TransientError(message, after=left)
        if left > 0:
            time.sleep(left)

    def _fallback(self, error: redis.RedisError) -> MovingWindowRateLimiter:
        log.warning("rate_limit.not_shared", error=str(error))
        return self._alone


def _hold_key(source: str) -> str:
    return f"smelt:hold:{source}"
