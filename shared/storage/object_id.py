"""The identity of a stored object."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectId:
    """One stored object. The key alone is not an identity: the same key may be written again."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None

    @property
    def version(self) -> str:
        """What tells this object from others of the same key: S3's version, without versioning its eTag."""
        return self.version_id or self.etag or ""
