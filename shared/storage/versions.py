"""All versions of objects in the bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TOGETHER = 1_000  # versions handed out at a time, and a few more where a key has several


@dataclass(frozen=True)
class ObjectVersion:
    """A version of an object as S3 lists it, with S3's time of storing it."""

    object: ObjectId
    stored_at: datetime
    size: int


def list_versions(s3: "S3Client", bucket: str, prefix: str) -> Iterator[list[ObjectVersion]]:
    """Versions under a prefix, overwritten ones too: each was accepted. All of one key come together, oldest first.

    S3 does not list their sequencers: `services.ops.reconcile.sequencers` finds or makes them.
    """
    held: list[ObjectVersion] = []
    for _, versions in groupby(_newest_first(s3, bucket, prefix), key=attrgetter("object.key")):
        held += reversed([*versions])
        if len(held) >= TOGETHER:
            yield held
            held = []
    if held:
        yield held


def _newest_first(s3: "S3Client", bucket: str, prefix: str) -> Iterator[ObjectVersion]:
    """As S3 documents its order within a key."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", []):
            key, size = version["Key"], version["Size"]
            if size or not key.endswith("/"):  # the S3 console's "folders"
                identity = version["VersionId"] if version["VersionId"] != "null" else None  # stored unversioned
                stored = ObjectId(bucket, key, identity, version["ETag"].strip('"'))
                yield ObjectVersion(stored, version["LastModified"], size)
