"""The handlers of transformer and loader, with a bucket in memory."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from sqlalchemy import Engine

from bench.memory_bucket import MemoryBucket
from services.loader.worker import Loader
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import Settings
from shared.config.topology import BRONZE_PREFIX, UPLOADS_PREFIX
from shared.engine.message import Message
from shared.formats.s3_events import created_event
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

RAW = (BRONZE_PREFIX, UPLOADS_PREFIX)
LOADED = {"loaded", "planned", "quarantined"}


class Handlers:
    """With an empty bucket. What is known is asked of Valkey, as ever."""

    def __init__(self, settings: Settings, engine: Engine, sqs: "SQSClient") -> None:
        self._bucket = MemoryBucket(settings.bucket)
        s3, known = cast("S3Client", self._bucket), ContentHashCache(settings.redis_url.get_secret_value())
        self._transformer = Transformer(s3, settings.bucket, InputLimits.of(settings), known)
        self._loader = Loader(s3, sqs, engine, known, settings.bucket, {})  # nothing is asked for in full

    def refined(self, objects: Iterable[tuple[str, bytes]]) -> Iterator[ObjectId]:
        """What of these objects (key, body) the loader is told of: plans, and the silver objects of the others."""
        for key, body in objects:
            stored = self._bucket.store(key, body)
            if key.startswith(RAW):
                self._transformer.handle(_event(stored))
            while self._bucket.published:
                yield self._bucket.published.popleft()

    def load(self, stored: ObjectId) -> None:
        """Raises RuntimeError where the loader does not load."""
        if (outcome := self._loader.handle(_event(stored))) not in LOADED:
            message = f"{stored.key}: {outcome}"
            raise RuntimeError(message)


def _event(stored: ObjectId) -> Message:
    return Message(created_event(stored), "", "", "", receives=1, sent=0, first_received=0, attributes={})
