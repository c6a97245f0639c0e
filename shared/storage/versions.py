"""Listing of object versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CHUNK = 1_000  # versions per chunk, slightly more to keep those of a key together


@dataclass(frozen=True)
class ObjectVersion:
    """A listed version with S3's time of storing it."""

    object: ObjectId
    stored_at: datetime
    size: int


def list_versions(s3: "S3Client", bucket: str, prefix: str) -> Iterator[list[ObjectVersion]]:
    """All versions under a prefix in chunks, with those of a key together, oldest first.

    Listings have no sequencers; see `services.ops.reconcile.sequencers`.
    """
    chunk: list[ObjectVersion] = []
    for _, versions in groupby(_newest_first(s3, bucket, prefix), key=attrgetter("object.key")):
        chunk += reversed([*versions])
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _newest_first(s3: "S3Client", bucket: str, prefix: str) -> Iterator[ObjectVersion]:
    """S3 lists the versions of a key from newest to oldest."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            key, size = version["Key"], version["Size"]
            if size or not key.endswith("/"):  # folders of the S3 console
                identity = (
                    version["VersionId"] if version["VersionId"] != "null" else None
                )  # stored before versioning was enabled
                stored = ObjectId(bucket, key, identity, version["ETag"].strip('"'))
                yield ObjectVersion(stored, version["LastModified"], size)
