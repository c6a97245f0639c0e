"""smelt in one process: the handlers of transformer and loader over a bucket in memory."""

import time
from collections.abc import Iterator
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
        """The handlers one after the other. Raises RuntimeError where a loader does not load."""
        rig, bucket = self._rig, MemoryBucket(self._rig.bucket)
        s3 = cast("S3Client", bucket)
        transformer = Transformer(s3, rig.bucket, Bounds.of(rig.settings), self._known)
        loader = Loader(s3, rig.sqs, rig.engine, self._known, rig.bucket, rig.settings.bronze_queue_url)
        for key, body in fetch.objects:
            stored = bucket.store(key, body)
            if key.startswith(BRONZE_PREFIX):
                transformer.handle(_event(stored))
            while bucket.published:
                outcome = loader.handle(_event(bucket.published.popleft()))
                if outcome not in LOADED:
                    message = f"{key}: {outcome}"
                    raise RuntimeError(message)

    def cpu(self) -> float:
        """Of this process."""
        return time.process_time()

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)


def _event(stored: ObjectId) -> Message:
    return Message(created_event(stored), "", "", "", receives=1, sent=0, first_received=0, attributes={})
