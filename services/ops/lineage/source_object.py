"""The origin of a bronze object: when it was stored, and the request for it."""

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared import lenient_json
from shared.datasets.definition import ChangedDefinitionError
from shared.errors import NewerVersionError, PermanentError
from shared.formats import silver
from shared.formats.silver import OutdatedError
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_BYTES = 128 << 20  # maximum size of an object that is read
GZIP = b"\x1f\x8b"
NOT_THIS_VERSION = {400, 404, 405, 412}  # the version does not exist, or the eTag has changed


@dataclass(frozen=True)
class ObjectHead:
    """S3's metadata of an object."""

    stored_at: datetime
    bytes: int
    sha256: str | None
    trace_id: str | None


@dataclass(frozen=True)
class SourceObject:
    """A bronze object: `kind` is page, upload, replay, or gone if it is no longer in the bucket.

    `request` and `response` are from the envelope, without the payload; `replayed` is the object with the rejected
    records.
    """

    kind: str
    head: ObjectHead | None = None
    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    replayed: Mapping[str, Any] | None = None


def inspect_source(s3: "S3Client", bronze: ObjectId) -> SourceObject:
    """Read the object's origin. Raises boto3's errors except for a missing object."""
    pinned, head = _head(s3, bronze)
    if head is None:
        return SourceObject("gone")
    if object_keys.is_upload(bronze.key):
        return SourceObject("upload", head)
    content = _content(objects.get(s3, pinned, MAX_BYTES).body)
    if object_keys.is_replay(bronze.key):
        return SourceObject("replay", head, replayed=_part(_part(content, "replay"), "source"))
    response = _part(content, "response")
    summary = {
        "status": response.get("status"),
        "date": _part(response, "headers").get("date"),
        "received_at": response.get("received_at"),
    }
    return SourceObject("page", head, request=_part(content, "request"), response=summary)


def object_head(s3: "S3Client", stored: ObjectId) -> ObjectHead | None:
    """Metadata of a version, or of the current object; None if it is missing."""
    return _head(s3, stored)[1]


def release(s3: "S3Client", stored: ObjectId) -> str | None:
    """The smelt release that wrote a silver object; None if missing, unreadable or not recorded."""
    try:
        return silver.read(objects.get(s3, stored, MAX_BYTES).body)[0].made_by
    except (PermanentError, NewerVersionError, ChangedDefinitionError, OutdatedError):
        return None


def _head(s3: "S3Client", stored: ObjectId) -> tuple[ObjectId, ObjectHead | None]:
    """The object pinned for reading, and its metadata. The ledger's version is S3's version id or an eTag."""
    either = [
        replace(stored, version_id=stored.version, etag=None),
        replace(stored, version_id=None, etag=stored.version),
    ]
    for pinned in either if stored.version else [stored]:
        try:
            head = s3.head_object(Bucket=pinned.bucket, Key=pinned.key, **_pin(pinned))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in NOT_THIS_VERSION:
                raise
            continue
        _, _, trace = head["Metadata"].get("traceparent", "").partition("-")
        trace_id = trace.partition("-")[0] or None
        return pinned, ObjectHead(head["LastModified"], head["ContentLength"], head["Metadata"].get("sha256"), trace_id)
    return stored, None


def _pin(stored: ObjectId) -> dict[str, Any]:
    if stored.version_id:
        return {"VersionId": stored.version_id}
    return {"IfMatch": stored.etag} if stored.etag else {}


def _content(body: bytes) -> object:
    """The JSON of an envelope; None if it is invalid."""
    try:
        return lenient_json.loads(gzip.decompress(body) if body.startswith(GZIP) else body)
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def _part(content: object, name: str) -> dict[str, Any]:
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}
