"""Reading and writing objects of the bucket."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared import telemetry
from shared.aws_errors import classifying, code_of
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint
from shared.storage.object_id import ObjectId
from shared.telemetry import metrics

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

MISSING = {"NoSuchKey", "404"}
UNVERSIONED = "null"  # S3's version id of objects stored before versioning was enabled
SUPERSEDED = "PreconditionFailed"  # the object has another eTag
CHUNK = 1 << 18  # bytes per read


class SupersededError(Exception):
    """The bucket has a newer object under this key, which has its own event; there is nothing to do."""


@dataclass(frozen=True)
class ObjectContent:
    """An object's content, S3's time of storing it, its metadata and identity."""

    body: bytes
    last_modified: datetime
    metadata: dict[str, str]
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Stream:
    """An object as a stream of `size` bytes."""

    body: "io.BufferedReader[Any]"
    size: int
    last_modified: datetime
    metadata: dict[str, str]
    version_id: str | None = None
    etag: str | None = None


def get(s3: "S3Client", object_id: ObjectId, limit: int) -> ObjectContent:
    """Read an object, pinned to the version or eTag of its event.

    Raises as `opened`, and TransientError if the content does not match the stored checksum.
    """
    with opened(s3, object_id, limit) as stream:
        body = stream.body.read()
    expected = stream.metadata.get("sha256")
    if expected and sha256(body).hexdigest() != expected:
        message = f"{object_id.key}: the bytes received are not those that were stored"
        raise TransientError(message)
    return ObjectContent(body, stream.last_modified, stream.metadata, stream.version_id, stream.etag)


def identified(object_id: ObjectId, response: ObjectContent | Stream) -> ObjectId:
    """The object's identity with version and eTag of the response if its event lacks them.

    Some S3-compatible stores omit the version in events.
    """
    version = response.version_id if response.version_id != UNVERSIONED else None
    return replace(object_id, version_id=object_id.version_id or version, etag=object_id.etag or response.etag)


@contextmanager
def opened(s3: "S3Client", object_id: ObjectId, limit: int) -> Iterator[Stream]:
    """Context manager with the object as a stream, pinned to its version or eTag.

    Raises PermanentError if it is missing, unreadable or larger than `limit` bytes, SupersededError if a newer object
    has replaced it, and otherwise as `shared.aws_errors` says, also while reading.
    """
    what = _object_text(object_id)
    response = _get_object(s3, object_id, what)
    size = response["ContentLength"]
    with closing(response["Body"]):
        if size > limit:
            message = f"{object_id.key}: {size} bytes, more than the limit of {limit}"
            raise PermanentError(message)
        metrics.BYTES.add(size, {"direction": "read", "layer": _layer(object_id.key)})
        failpoint("object.got")
        body = io.BufferedReader(_Body(response["Body"], what), CHUNK)
        version, etag = response.get("VersionId"), response.get("ETag", "").strip('"')
        yield Stream(body, size, response["LastModified"], response["Metadata"], version, etag or None)


class _Body(io.RawIOBase):
    """A response body. Connection errors are classified, so that parsers do not report a damaged file."""

    def __init__(self, body: "StreamingBody", what: str) -> None:
        self._body, self._what = body, what

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with classifying("bucket", self._what):
            return self._body.readinto(buffer)


def _get_object(s3: "S3Client", object_id: ObjectId, what: str) -> "GetObjectOutputTypeDef":
    with classifying("bucket", what):
        try:
            return s3.get_object(Bucket=object_id.bucket, Key=object_id.key, **_pin(object_id))
        except ClientError as error:
            if code_of(error) != SUPERSEDED:
                raise
            message = f"{what}: a newer object has taken its place"
            raise SupersededError(message) from error


def _object_text(object_id: ObjectId) -> str:
    return f"{object_id.key} in {object_id.bucket}" + (f", version {object_id.version}" if object_id.version else "")


def put(s3: "S3Client", bucket: str, key: str, body: bytes, content_type: str) -> None:
    """Store an object with its checksum and the current trace in the metadata."""
    with telemetry.span("object.put", key=key, bytes=len(body)), classifying("bucket", key):
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            Metadata={"sha256": sha256(body).hexdigest(), **telemetry.carrier()},
        )
    metrics.BYTES.add(len(body), {"direction": "written", "layer": _layer(key)})
    failpoint("object.put")


def _layer(key: str) -> str:
    return key.partition("/")[0]


def exists(s3: "S3Client", bucket: str, key: str) -> bool:
    """Whether an object exists."""
    with classifying("bucket", key):
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in MISSING:
                return False
            raise
    return True


def newest(s3: "S3Client", bucket: str, key: str) -> ObjectId | None:
    """The current object under this key, or None."""
    with classifying("bucket", key):
        try:
            head = s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise
    version = head.get("VersionId")
    return ObjectId(bucket, key, version if version != UNVERSIONED else None, head["ETag"].strip('"'))


def list_keys(s3: "S3Client", bucket: str, prefix: str) -> frozenset[str]:
    """All keys with this prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with classifying("bucket", prefix):
        return frozenset(stored["Key"] for page in pages for stored in page.get("Contents", []))


def _pin(object_id: ObjectId) -> dict[str, Any]:
    if object_id.version_id:
        return {"VersionId": object_id.version_id}
    return {"IfMatch": object_id.etag} if object_id.etag else {}


def require_bucket(object_id: ObjectId, bucket: str) -> None:
    """Raises PermanentError for an object of another bucket, whose event is forged or misrouted."""
    if object_id.bucket != bucket:
        message = f"{object_id.key} is in {object_id.bucket!r}, not in the configured bucket"
        raise PermanentError(message)
