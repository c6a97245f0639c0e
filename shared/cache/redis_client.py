"""Redis clients with short timeouts, for best-effort data.

All keys share one hash slot, so that multi-key commands work in cluster mode (ElastiCache Serverless).
"""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "{smelt}:"  # of every key; the part in braces determines the slot
TIMEOUT = 1.0  # s to connect, and for a response


def client(url: str, timeout: float = TIMEOUT) -> "redis.Redis":
    """A client with one immediate retry, for pooled connections closed by the server."""
    retry = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)
