"""Answers that change once in a while (code lists), kept in Redis; without it they are fetched each time."""

from hashlib import sha256

import redis
import structlog

from shared.datasets.source import Request

log = structlog.get_logger()


class AnswerCache:
    """JSON texts of answers, for as long as their request says."""

    def __init__(self, pool: redis.ConnectionPool) -> None:
        self._redis = redis.Redis(connection_pool=pool)

    def get(self, request: Request) -> bytes | None:
        """The kept text, if there is one."""
        if not request.keep_for:
            return None
        try:
            kept = self._redis.get(_key(request))
        except redis.RedisError as error:
            log.warning("answer.not_looked_up", error=str(error))
            return None
        return kept if isinstance(kept, bytes) else None

    def put(self, request: Request, text: bytes) -> None:
        """Keep the text, where the request says so."""
        if not request.keep_for:
            return
        try:
            self._redis.set(_key(request), text, ex=request.keep_for)
        except redis.RedisError as error:
            log.warning("answer.not_kept", error=str(error))


def _key(request: Request) -> str:
    """By address and params; who asks makes no difference to what is cached."""
    asked = f"{request.url}?{sorted(request.params.items())}"
    return f"smelt:answer:{sha256(asked.encode()).hexdigest()}"
