"""Reads and writes objects of the bucket."""

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
UNVERSIONED = "null"  # S3's version of what was stored before the bucket was versioned
SUPERSEDED = "PreconditionFailed"  # the eTag is no longer this one
CHUNK = 1 << 18  # bytes of a stream read at a time


class SupersededError(Exception):
    """The bucket holds a newer object under this key, whose own event is on its way: nothing to do, only to count."""


@dataclass(frozen=True)
class Content:
    """What a GET brought: the bytes as stored, S3's time of storing them, the object's own metadata, its identity."""

    body: bytes
    last_modified: datetime
    metadata: dict[str, str]
    version_id: str | None = None
    etag: str | None = None


@dataclass(frozen=True)
class Stream:
    """The same with bytes still to be read; `size` of them."""

    body: "io.BufferedReader[Any]"
    size: int
    last_modified: datetime
    metadata: dict[str, str]
    version_id: str | None = None
    etag: str | None = None


def get(s3: "S3Client", object_id: ObjectId, limit: int) -> Content:
    """The object's content, pinned to the version or eTag that its event named.

    Raises what `opened` raises, and TransientError if the bytes are not those of the checksum stored with them.
    """
    with opened(s3, object_id, limit) as stream:
        body = stream.body.read()
    expected = stream.metadata.get("sha256")
    if expected and sha256(body).hexdigest() != expected:
        message = f"{object_id.key}: the bytes received are not those that were stored"
        raise TransientError(message)
    return Content(body, stream.last_modified, stream.metadata, stream.version_id, stream.etag)


def identified(object_id: ObjectId, answer: Content | Stream) -> ObjectId:
    """The object with the version and eTag that its GET answered, where its event did not name them.

    Some S3-compatible stores leave the version out of their events, while listings have it.
    """
    version = answer.version_id if answer.version_id != UNVERSIONED else None
    return replace(object_id, version_id=object_id.version_id or version, etag=object_id.etag or answer.etag)


@contextmanager
def opened(s3: "S3Client", object_id: ObjectId, limit: int) -> Iterator[Stream]:
    """The object's content as a stream, pinned to the version or eTag that its event named.

    Raises PermanentError if it is gone, unreadable or larger than `limit` bytes, SupersededError if a newer one took
    its place, else what `shared.aws_errors` says, also while it is read.
    """
    what = _described(object_id)
    answer = _answer(s3, object_id, what)
    size = answer["ContentLength"]
    with closing(answer["Body"]):
        if size > limit:
            message = f"{object_id.key}: {size} bytes, more than the limit of {limit}"
            raise PermanentError(message)
        metrics.BYTES.add(size, {"direction": "read", "layer": _layer(object_id.key)})
        failpoint("object.got")
        body = io.BufferedReader(_Body(answer["Body"], what), CHUNK)
        version, etag = answer.get("VersionId"), answer.get("ETag", "").strip('"')
        yield Stream(body, size, answer["LastModified"], answer["Metadata"], version, etag or None)


class _Body(io.RawIOBase):
    """The body of an answer. Whoever parses it must not take a broken connection for a broken file."""

    def __init__(self, body: "StreamingBody", what: str) -> None:
        self._body, self._what = body, what

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with classifying("bucket", self._what):
            return self._body.readinto(buffer)


def _answer(s3: "S3Client", object_id: ObjectId, what: str) -> "GetObjectOutputTypeDef":
    with classifying("bucket", what):
        try:
            return s3.get_object(Bucket=object_id.bucket, Key=object_id.key, **_pin(object_id))
        except ClientError as error:
            if code_of(error) != SUPERSEDED:
                raise
            message = f"{what}: a newer object has taken its place"
            raise SupersededError(message) from error


def _described(object_id: ObjectId) -> str:
    return f"{object_id.key} in {object_id.bucket}" + (f", version {object_id.version}" if object_id.version else "")


def put(s3: "S3Client", bucket: str, key: str, body: bytes, content_type: str) -> None:
    """Store an object with the checksum of its bytes and the current trace in its metadata."""
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
    """Whether the bucket holds an object under this key now."""
    with classifying("bucket", key):
        try:
            s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if code_of(error) in MISSING:
                return False
            raise
    return True


def newest(s3: "S3Client", bucket: str, key: str) -> ObjectId | None:
    """The object that the bucket holds under this key now, if any."""
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
    """All keys that begin so."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with classifying("bucket", prefix):
        return frozenset(stored["Key"] for page in pages for stored in page.get("Contents", []))


def _pin(object_id: ObjectId) -> dict[str, Any]:
    if object_id.version_id:
        return {"VersionId": object_id.version_id}
    return {"IfMatch": object_id.etag} if object_id.etag else {}


def require_bucket(object_id: ObjectId, bucket: str) -> None:
    """Raises PermanentError for an object of another bucket: its event is forged or misrouted."""
    if object_id.bucket != bucket:
        message = f"{object_id.key} is in {object_id.bucket!r}, which is not our bucket"
        raise PermanentError(message)
