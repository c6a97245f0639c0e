"""The request rate to a source, shared by all extractors through Redis; without Redis each keeps to it by itself."""

import time

import redis
import structlog
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from shared.errors import TransientError

log = structlog.get_logger()

LONGEST_HOLD = 60  # s to wait here for a source that asked for a pause; longer ones go back to the queue


class RateLimit:
    """Waits its turn before each request, and holds all extractors back while a source has asked for a pause."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self._shared = MovingWindowRateLimiter(RedisStorage(redis_url, socket_timeout=2, socket_connect_timeout=2))
        self._alone = MovingWindowRateLimiter(MemoryStorage())

    def wait(self, source: str, per_second: int) -> None:
        """Return when a request may be sent. Raises TransientError for a pause longer than we wait."""
        limiter = self._shared
        item = RateLimitItemPerSecond(per_second)
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

    def hold(self, source: str, seconds: float) -> None:
        """The source asked for a pause: no extractor sends it anything for so long."""
        try:
            self._redis.set(_hold_key(source), 1, px=max(1, round(seconds * 1000)))
        except redis.RedisError as error:
            self._fallback(error)

    def _wait_out_hold(self, source: str) -> None:
        left = int(self._redis.pttl(_hold_key(source))) / 1000
        if left > LONGEST_HOLD:
            message = f"{source} asked for a pause of {left:.0f} s more"
            raise TransientError(message, after=left)
        if left > 0:
            time.sleep(left)

    def _fallback(self, error: redis.RedisError) -> MovingWindowRateLimiter:
        log.warning("rate_limit.not_shared", error=str(error))
        return self._alone


def _hold_key(source: str) -> str:
    return f"smelt:hold:{source}"
