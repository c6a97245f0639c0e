"""Rate limit per client, shared through Redis if configured, otherwise per process."""

import math
import time

import redis
import structlog
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter

log = structlog.get_logger()

TIMEOUT = 0.25  # s; after that the request is counted by this process only


class RequestLimit:
    """A limit of requests per minute and client."""

    def __init__(self, requests: int, redis_url: str | None) -> None:
        self._item = RateLimitItemPerMinute(requests)
        self._alone = FixedWindowRateLimiter(MemoryStorage())
        self._shared = FixedWindowRateLimiter(_storage(redis_url)) if redis_url else self._alone

    def wait(self, client: str) -> int:
        """Count a request; returns 0 if it is allowed, else the seconds until the limit resets."""
        try:
            return self._wait(self._shared, client)
        except redis.RedisError as error:
            log.warning("rate_limit.not_shared", error=str(error))
            return self._wait(self._alone, client)

    def _wait(self, limiter: FixedWindowRateLimiter, client: str) -> int:
        if limiter.hit(self._item, "smelt", "serving", client):
            return 0
        reset = limiter.get_window_stats(self._item, "smelt", "serving", client).reset_time
        return max(1, math.ceil(reset - time.time()))


def _storage(redis_url: str) -> Storage:
    pool = redis.ConnectionPool.from_url(redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
    return RedisStorage("redis://", connection_pool=pool)
