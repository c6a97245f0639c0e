"""Redis cache of content hashes of the records in the database, so that unchanged records need not be transformed.

It is a hint: the loader verifies each hash-only record against the database. A wrong or empty cache only costs time.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import redis
import structlog

from shared.cache.redis_client import PREFIX, client

log = structlog.get_logger()

KEY = f"{PREFIX}known:"
TTL_SECONDS = 7 * 86_400  # loading each record in full once a week costs little
# MSET with expiry. One SET per key would cost the loader more than the fence in Postgres.
SET = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end"


class ContentHashCache:
    """{dataset and natural key: content hash}."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)
        self._set = self._redis.register_script(SET)

    def look_up(self, dataset: str, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The hash of each key, or None."""
        try:
            hashes = self._redis.mget([_name(dataset, key) for key in keys]) if keys else []
        except redis.RedisError as error:
            log.warning("content_hashes.get_failed", error=str(error))
            return [None] * len(keys)
        return cast("Sequence[bytes | None]", hashes)

    def publish(self, dataset: str, hashes: Mapping[str, bytes]) -> None:
        """Store hashes of rows now in the database."""
        try:
            if hashes:
                self._set(keys=[_name(dataset, key) for key in hashes], args=[TTL_SECONDS, *hashes.values()])
        except redis.RedisError as error:
            log.warning("content_hashes.put_failed", error=str(error))


def _name(dataset: str, key: str) -> str:
    return f"{KEY}{dataset}:{key}"
