"""The identity of a stored object."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ObjectId:
    """A stored object. The key alone is not unique, as objects are overwritten."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    sequencer: str | None = None

    @property
    def version(self) -> str:
        """S3's version id, or the eTag in an unversioned bucket."""
        return self.version_id or self.etag or ""
