"""Content hashes of the records in the database, told through Redis so that unchanged ones need no second look.

A hint, never a source of truth: the loader compares each sighting with the database. A wrong or empty cache costs time.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import redis
import structlog

from shared.cache.redis_client import PREFIX, client

log = structlog.get_logger()

KEY = f"{PREFIX}known:"
KEPT = 7 * 86_400  # s; a record that is loaded in full once a week all the same costs little
# MSET for keys that expire. As a command for each key this costs the loader more than its fence in Postgres.
SET = "for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end"


class ContentHashCache:
    """{dataset and natural key: content hash}."""

    def __init__(self, redis_url: str) -> None:
        self._redis = client(redis_url)
        self._set = self._redis.register_script(SET)

    def look_up(self, dataset: str, keys: Sequence[str]) -> Sequence[bytes | None]:
        """The hash of each key, None where it is not known."""
        try:
            found = self._redis.mget([_name(dataset, key) for key in keys]) if keys else []
        except redis.RedisError as error:
            log.warning("known.not_looked_up", error=str(error))
            return [None] * len(keys)
        return cast("Sequence[bytes | None]", found)

    def publish(self, dataset: str, hashes: Mapping[str, bytes]) -> None:
        """Tell what the database holds now."""
        try:
            if hashes:
                self._set(keys=[_name(dataset, key) for key in hashes], args=[KEPT, *hashes.values()])
        except redis.RedisError as error:
            log.warning("known.not_published", error=str(error))


def _name(dataset: str, key: str) -> str:
    return f"{KEY}{dataset}:{key}"
