"""How a bronze object came to be: when it was stored, and what was asked of the source for it."""

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

LARGEST = 128 << 20  # bytes of an object that is read to see how it came to be
GZIP = b"\x1f\x8b"
REFUSED = {400, 404, 405, 412}  # no such version, or another one by now


@dataclass(frozen=True)
class ObjectHead:
    """What S3 says of an object: when it stored it, and what its writer noted."""

    stored_at: datetime
    bytes: int
    sha256: str | None
    trace_id: str | None


@dataclass(frozen=True)
class SourceObject:
    """A bronze object: `kind` is page, upload, replay, or gone where the bucket has it no more.

    `request` and `response` are the envelope's without the payload; `replayed` is the object whose rejected records it
    repeats.
    """

    kind: str
    head: ObjectHead | None = None
    request: Mapping[str, Any] | None = None
    response: Mapping[str, Any] | None = None
    replayed: Mapping[str, Any] | None = None


def inspect_source(s3: "S3Client", bronze: ObjectId) -> SourceObject:
    """Look at it. Raises what boto3 raises but for an object that is gone."""
    pinned, seen = _found(s3, bronze)
    if seen is None:
        return SourceObject("gone")
    if object_keys.is_upload(bronze.key):
        return SourceObject("upload", seen)
    content = _content(objects.get(s3, pinned, LARGEST).body)
    if object_keys.is_replay(bronze.key):
        return SourceObject("replay", seen, replayed=_part(_part(content, "replay"), "source"))
    response = _part(content, "response")
    told = {
        "status": response.get("status"),
        "date": _part(response, "headers").get("date"),
        "received_at": response.get("received_at"),
    }
    return SourceObject("page", seen, request=_part(content, "request"), response=told)


def object_head(s3: "S3Client", stored: ObjectId) -> ObjectHead | None:
    """What S3 says of a version, or of what is there now where none is given; None if it is gone."""
    return _found(s3, stored)[1]


def release(s3: "S3Client", stored: ObjectId) -> str | None:
    """The release of smelt that wrote a silver object; None if it is gone, or cannot be read, or does not say."""
    try:
        return silver.read(objects.get(s3, stored, LARGEST).body)[0].made_by
    except (PermanentError, NewerVersionError, ChangedDefinitionError, OutdatedError):
        return None


def _found(s3: "S3Client", stored: ObjectId) -> tuple[ObjectId, ObjectHead | None]:
    """The object as it is to be read. The ledger's version is S3's own, or the eTag where there was none."""
    either = [
        replace(stored, version_id=stored.version, etag=None),
        replace(stored, version_id=None, etag=stored.version),
    ]
    for pinned in either if stored.version else [stored]:
        try:
            seen = s3.head_object(Bucket=pinned.bucket, Key=pinned.key, **_pin(pinned))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] not in REFUSED:
                raise
            continue
        _, _, trace = seen["Metadata"].get("traceparent", "").partition("-")
        trace_id = trace.partition("-")[0] or None
        return pinned, ObjectHead(seen["LastModified"], seen["ContentLength"], seen["Metadata"].get("sha256"), trace_id)
    return stored, None


def _pin(stored: ObjectId) -> dict[str, Any]:
    if stored.version_id:
        return {"VersionId": stored.version_id}
    return {"IfMatch": stored.etag} if stored.etag else {}


def _content(body: bytes) -> object:
    """The JSON of an envelope; None for what is none."""
    try:
        return lenient_json.loads(gzip.decompress(body) if body.startswith(GZIP) else body)
    except (ValueError, OSError, EOFError, zlib.error):
        return None


def _part(content: object, name: str) -> dict[str, Any]:
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}
