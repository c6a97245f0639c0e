"""Answers that change once in a while (code lists), kept in Redis; without it they are fetched each time."""

from collections.abc import Callable
from hashlib import sha256

import redis
import structlog

from shared.datasets.contract import Request

log = structlog.get_logger()


class AnswerCache:
    """Bodies of answers, for as long as their request says."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)

    def body(self, request: Request, fetch: Callable[[], bytes]) -> bytes:
        """The kept body, or the one that `fetch` gets."""
        if not request.keep_for:
            return fetch()
        key = _key(request)
        try:
            if kept := self._redis.get(key):
                return bytes(kept)  # type: ignore[arg-type]
        except redis.RedisError as error:
            log.warning("answer.not_looked_up", error=str(error))
        body = fetch()
        try:
            self._redis.set(key, body, ex=request.keep_for)
        except redis.RedisError as error:
            log.warning("answer.not_kept", error=str(error))
        return body


def _key(request: Request) -> str:
    """By address and params; who asks makes no difference to what is cached."""
    asked = f"{request.url}?{sorted(request.params.items())}"
    return f"smelt:answer:{sha256(asked.encode()).hexdigest()}"
