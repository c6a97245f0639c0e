"""smelt in one process: the handlers of transformer and loader over a bucket in memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from bench.contents import Contents, contents
from bench.memory_bucket import MemoryBucket
from bench.rig import Rig
from bench.workload import AGAIN, CHANGED, COLD, Fetch
from services.loader.worker import Loader
from services.transformer.bounds import Bounds
from services.transformer.worker import Transformer
from shared.engine.message import Message
from shared.events import created_event
from shared.known_hashes import KnownHashes
from shared.objects import ObjectId
from shared.topology import BRONZE_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOADED = {"loaded", "planned", "quarantined"}


class InProcess:
    """A page at a time: refined, then loaded in one transaction. What is known is asked of Valkey, as ever."""

    name = "smelt, in process"
    phases = frozenset({COLD, AGAIN, CHANGED})

    def __init__(self, rig: Rig) -> None:
        self._rig, self._known = rig, KnownHashes(rig.settings.redis_url.get_secret_value())

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With empty tables."""
        self._rig.empty()
        yield

    def load(self, fetch: Fetch) -> None:
        """The handlers at once, in a thread each as they are in a process each. Raises RuntimeError as `_load` does."""
        bucket, loader = self._fresh()
        with ThreadPoolExecutor(max_workers=1) as loading:
            under_way = [loading.submit(_load, loader, stored) for stored in self._refined(fetch, bucket)]
        for one in under_way:
            one.result()

    def load_in_turn(self, fetch: Fetch) -> None:
        """One handler after the other, so that it can be told which of them takes what."""
        bucket, loader = self._fresh()
        for stored in self._refined(fetch, bucket):
            _load(loader, stored)

    def _fresh(self) -> tuple[MemoryBucket, Loader]:
        rig, bucket = self._rig, MemoryBucket(self._rig.bucket)
        queue = rig.settings.bronze_queue_url
        return bucket, Loader(cast("S3Client", bucket), rig.sqs, rig.engine, self._known, rig.bucket, queue)

    def _refined(self, fetch: Fetch, bucket: MemoryBucket) -> Iterator[ObjectId]:
        """What of a run the loader is told of: its plan and its silver objects."""
        bounds = Bounds.of(self._rig.settings)
        transformer = Transformer(cast("S3Client", bucket), self._rig.bucket, bounds, self._known)
        for key, body in fetch.objects:
            stored = bucket.store(key, body)
            if key.startswith(BRONZE_PREFIX):
                transformer.handle(_event(stored))
            while bucket.published:
                yield bucket.published.popleft()

    def cpu(self) -> float:
        """Of this process."""
        return time.process_time()

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)


def _load(loader: Loader, stored: ObjectId) -> None:
    """Raises RuntimeError where a loader does not load."""
    if (outcome := loader.handle(_event(stored))) not in LOADED:
        message = f"{stored.key}: {outcome}"
        raise RuntimeError(message)


def _event(stored: ObjectId) -> Message:
    return Message(created_event(stored), "", "", "", receives=1, sent=0, first_received=0, attributes={})
