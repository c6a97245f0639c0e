"""Clients of Redis for what is best effort: they give up soon, for no work may wait for a cache.

All keys lie in one hash slot, so that commands of several keys also work where Redis runs in cluster mode, as
ElastiCache Serverless does.
"""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PREFIX = "{smelt}:"  # of every key; what is in braces decides on the slot
TIMEOUT = 1.0  # s for a connection, and for an answer


def client(url: str, timeout: float = TIMEOUT) -> "redis.Redis":
    """One retry, at once, for a pooled connection that was cut meanwhile."""
    retry = Retry(NoBackoff(), 1)
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry)
