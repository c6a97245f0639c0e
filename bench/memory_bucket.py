"""A bucket in this process's memory: what of S3 the services' handlers use, without a network."""

import io
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from shared.config.topology import BRONZE_PREFIX, UPLOADS_PREFIX
from shared.storage import objects
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class MemoryBucket:
    """Stands in for a boto3 client. `published` are the objects that S3 would send events of to the loader."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.published: deque[ObjectId] = deque()
        self._stored: dict[tuple[str, str], dict[str, Any]] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, Metadata: Mapping[str, str], **_: Any) -> None:  # noqa: N803
        """Store an object as its newest version."""
        version = str(len(self._stored) + 1)
        self._stored[Key, version] = {"Body": Body, "Metadata": dict(Metadata), "LastModified": datetime.now(UTC)}
        if not Key.startswith((BRONZE_PREFIX, UPLOADS_PREFIX)):
            self.published.append(ObjectId(Bucket, Key, version, sequencer=f"{len(self._stored):016X}"))

    def get_object(self, *, Key: str, VersionId: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        """One version of an object, as boto3 answers."""
        stored = self._stored[Key, VersionId]
        return stored | {"Body": io.BytesIO(stored["Body"]), "ContentLength": len(stored["Body"])}

    def store(self, key: str, body: bytes) -> ObjectId:
        """Put an object as the services do; its identity."""
        objects.put(cast("S3Client", self), self.name, key, body, "")
        version = len(self._stored)
        return ObjectId(self.name, key, str(version), sequencer=f"{version:016X}")
