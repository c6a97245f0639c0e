"""Redis cache of responses that rarely change (code lists). Without Redis they are fetched each time."""

from hashlib import sha256

import redis
import structlog

from shared.datasets.source import Request

log = structlog.get_logger()


class ResponseCache:
    """Caches JSON texts of responses for as long as their request's `keep_for` says."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)

    def get(self, request: Request) -> bytes | None:
        """The cached text, or None."""
        if not request.keep_for:
            return None
        try:
            cached = self._redis.get(_key(request))
        except redis.RedisError as error:
            log.warning("response_cache.get_failed", error=str(error))
            return None
        return cached if isinstance(cached, bytes) else None

    def put(self, request: Request, text: bytes) -> None:
        """Cache the text if the request allows it."""
        if not request.keep_for:
            return
        try:
            self._redis.set(_key(request), text, ex=request.keep_for)
        except redis.RedisError as error:
            log.warning("response_cache.put_failed", error=str(error))


def _key(request: Request) -> str:
    """Identified by URL and params; request headers do not affect the response."""
    identity = f"{request.url}?{sorted(request.params.items())}"
    return f"smelt:response:{sha256(identity.encode()).hexdigest()}"
