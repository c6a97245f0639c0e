"""Copies objects of another bucket or prefix to a dataset's uploads, where they are loaded like any upload.

Idempotent and resumable: a copy has its source's eTag in its metadata, and what has a copy is not copied again, also
where the copy is hidden since (`afterLoading`). Copies count as observed when their sources were stored.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from services.ops import operator_log
from services.ops.connections import Connections
from services.ops.operator_log import ActionResult, OnProgress
from services.ops.throttle import throttled
from shared.aws_errors import classifying
from shared.config.topology import RAW_PREFIXES
from shared.errors import PermanentError
from shared.storage import object_keys, versions

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SCHEME = "s3://"
ETAG = "source-etag"  # in the metadata of a copy


@dataclass(frozen=True)
class ObjectToCopy:
    """An object to copy, its copy's key, and whether there is a copy of it."""

    bucket: str
    key: str
    etag: str
    stored_at: datetime
    size: int
    target: str
    taken: bool


def find(connections: Connections, dataset: str, source: str) -> list[ObjectToCopy]:
    """The objects below `s3://bucket/prefix`, oldest first. Raises PermanentError for raw data of this deployment."""
    bucket, _, prefix = source.removeprefix(SCHEME).partition("/")
    own = connections.settings.bucket
    if not bucket or (bucket == own and (not prefix or prefix.startswith(tuple(RAW_PREFIXES)))):
        message = f"{source}: a bucket and a prefix other than this deployment's raw data, s3://bucket/prefix"
        raise PermanentError(message)
    folder = object_keys.upload_key(dataset, "")
    copies: dict[str, list[str | None]] = defaultdict(list)
    for chunk in versions.list_versions(connections.s3, own, folder):
        for version in chunk:
            copies[version.object.key].append(version.object.version_id)
    base = prefix[: prefix.rfind("/") + 1]
    s3 = connections.s3
    with classifying("bucket", source):
        found = [
            ObjectToCopy(bucket, key, etag, stored_at, size, target, _is_taken(s3, own, target, etag, copies))
            for key, etag, stored_at, size in _listed(s3, bucket, prefix)
            for target in [folder + key.removeprefix(base)]
        ]
    return sorted(found, key=lambda item: (item.stored_at, item.key))


def take_in(
    connections: Connections,
    described: Mapping[str, object],
    objects: Sequence[ObjectToCopy],
    rate: float | None = None,
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Copy the objects that have no copy, at most `rate` a second, and record it in `ops.operator_action`."""
    wanted = [item for item in objects if not item.taken]
    with operator_log.record_action(connections.database, "reprocess", "copied", described, len(wanted)) as result:
        for item in throttled(wanted, rate):
            _copy(connections.s3, item, connections.settings.bucket)
            result.done += 1
            on_done(1)
    return result


def _listed(s3: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, str, datetime, int]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            if item["Size"] or not item["Key"].endswith("/"):  # folders of the S3 console
                yield item["Key"], item["ETag"].strip('"'), item["LastModified"], item["Size"]


def _is_taken(s3: "S3Client", bucket: str, target: str, etag: str, copies: Mapping[str, Sequence[str | None]]) -> bool:
    return any(_source_of(s3, bucket, target, version) == etag for version in copies.get(target, ()))


def _source_of(s3: "S3Client", bucket: str, target: str, version: str | None) -> str | None:
    which: dict[str, Any] = {"VersionId": version} if version else {}
    return s3.head_object(Bucket=bucket, Key=target, **which)["Metadata"].get(ETAG)


def _copy(s3: "S3Client", item: ObjectToCopy, bucket: str) -> None:
    metadata = {
        ETAG: item.etag,
        object_keys.SOURCE_STORED_AT: item.stored_at.isoformat(),
        "source": quote(f"{SCHEME}{item.bucket}/{item.key}"),
    }
    replaced = {"Metadata": metadata, "MetadataDirective": "REPLACE", "TaggingDirective": "REPLACE"}
    with classifying("bucket", f"{SCHEME}{item.bucket}/{item.key}"):
        s3.copy({"Bucket": item.bucket, "Key": item.key}, bucket, item.target, replaced)
