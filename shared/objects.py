"""Objects in the bucket: their identity, their keys, and how they are read and written."""

import io
import re
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
from shared.telemetry import metrics
from shared.topology import (
    BRONZE_PREFIX,
    PLANS_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIXES,
    REJECTED_RESPONSES_PREFIX,
    REPLAYS_PREFIX,
    SILVER_PREFIX,
    UPLOADS_PREFIX,
)

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

MISSING = {"NoSuchKey", "404"}
UNVERSIONED = "null"  # S3's version of what was stored before the bucket was versioned
SUPERSEDED = "PreconditionFailed"  # the eTag is no longer this one
LONGEST_PATH = 900  # bytes of a bronze key that fit, with what is added, into S3's limit of 1,024
LONG_KEYS = "long-keys"  # in place of a path longer than that
CHUNK = 1 << 18  # bytes of a stream read at a time
RUN_ID = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9a-f]{8}")


class SupersededError(Exception):
    """The bucket holds a newer object under this key, whose own event is on its way: nothing to do, only to count."""


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


def keys(s3: "S3Client", bucket: str, prefix: str) -> frozenset[str]:
    """All keys that begin so."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    with classifying("bucket", prefix):
        return frozenset(stored["Key"] for page in pages for stored in page.get("Contents", []))


def _pin(object_id: ObjectId) -> dict[str, Any]:
    if object_id.version_id:
        return {"VersionId": object_id.version_id}
    return {"IfMatch": object_id.etag} if object_id.etag else {}


def is_folder(object_id: ObjectId, size: int) -> bool:
    """Whether it is the empty object that the S3 console calls a folder."""
    return object_id.key.endswith("/") and not size


def refuse_strangers(object_id: ObjectId, bucket: str) -> None:
    """Raises PermanentError for an object of another bucket: its event is forged or misrouted."""
    if object_id.bucket != bucket:
        message = f"{object_id.key} is in {object_id.bucket!r}, which is not our bucket"
        raise PermanentError(message)


def run_date(run_id: str) -> str:
    """The date partition of a run, `YYYY-MM-DD`, from its id `YYYYMMDDTHHMMSSZ-xxxxxxxx`. Raises PermanentError."""
    try:
        moment = datetime.strptime(RUN_ID.fullmatch(run_id)[1], "%Y%m%dT%H%M%S%z")  # type: ignore[index]
    except (TypeError, ValueError):
        message = f"not a run id: {run_id!r} (YYYYMMDDTHHMMSSZ-xxxxxxxx)"
        raise PermanentError(message) from None
    return f"{moment:%Y-%m-%d}"


def page_key(dataset: str, run_id: str, part: int, page: int) -> str:
    """Where the page of a run lies in bronze: the same page always has the same key."""
    return f"{BRONZE_PREFIX}{_page_path(dataset, run_id, part, page)}.json.gz"


def rejected_response_key(dataset: str, run_id: str, part: int, page: int) -> str:
    """Where an answer lies that is not a page of its source: the newest for this page, those before as its versions."""
    return f"{REJECTED_RESPONSES_PREFIX}{_page_path(dataset, run_id, part, page)}.body"


def _page_path(dataset: str, run_id: str, part: int, page: int) -> str:
    return f"{dataset}/date={run_date(run_id)}/run={run_id}/part={part:04d}/page={page:04d}"


def upload_key(dataset: str, name: str) -> str:
    """Where a file that somebody drops lies; any name below this folder will do."""
    return f"{UPLOADS_PREFIX}{dataset}/{name}"


def plan_key(dataset: str, run_id: str) -> str:
    """Where the plan of a run lies."""
    return f"{PLANS_PREFIX}{dataset}/date={run_date(run_id)}/run={run_id}/plan.json"


def dataset_of(raw_key: str) -> str:
    """The dataset's name in the key of a page, an upload or a replay. Raises PermanentError where the key has none."""
    prefix, _, rest = raw_key.partition("/")
    name, slash, _ = rest.partition("/")
    if f"{prefix}/" not in RAW_PREFIXES or not slash or not name:
        message = f"{raw_key}: not the key of raw data ({', '.join(f'{p}<dataset>/…' for p in RAW_PREFIXES)})"
        raise PermanentError(message)
    return name


def replay_key(dataset: str, run_id: str, number: int) -> str:
    """Where records go that come back out of quarantine."""
    return f"{REPLAYS_PREFIX}{dataset}/{run_id}/{number:05d}.json"


def is_replay(raw_key: str) -> bool:
    """Whether the object repeats records out of quarantine."""
    return raw_key.startswith(REPLAYS_PREFIX)


def is_upload(raw_key: str) -> bool:
    """Whether the object is a file that somebody dropped, rather than a page that the extractor fetched."""
    return raw_key.startswith(UPLOADS_PREFIX)


def silver_key(bronze: ObjectId, transform_version: int, batch: int) -> str:
    """Where the rows of a bronze object's batch go: doing it again with the same code overwrites the same object."""
    return f"{silver_stem(bronze, transform_version)}{batch:05d}.parquet"


def quarantine_key(bronze: ObjectId, transform_version: int, batch: int) -> str:
    """Where the rejected records of a bronze object's batch go."""
    return f"{_stem(QUARANTINE_PREFIX, bronze, transform_version)}{batch:05d}.jsonl.gz"


def silver_stem(bronze: ObjectId, transform_version: int) -> str:
    """What the silver keys of all batches of a bronze object begin with."""
    return _stem(SILVER_PREFIX, bronze, transform_version)


def _stem(prefix: str, bronze: ObjectId, transform_version: int) -> str:
    identity = sha256(f"{bronze.bucket}\n{bronze.key}\n{bronze.version}".encode()).hexdigest()[:16]
    path = _derived_path(bronze.key)
    folder = path if len(path.encode()) < LONGEST_PATH else f"{dataset_of(bronze.key)}/{LONG_KEYS}"
    return f"{prefix}{folder}/{identity}-v{transform_version}-"


def _derived_path(raw_key: str) -> str:
    """Where what is made of raw data lies: by dataset first, then `uploads/` or `replays/` where it is not of a run."""
    prefix, _, rest = raw_key.partition("/")
    if f"{prefix}/" == BRONZE_PREFIX:
        return rest
    dataset, _, name = rest.partition("/")
    return f"{dataset}/{prefix}/{name}"


def raw_key_of(derived_key: str) -> str | None:
    """The raw key that the key of a silver or quarantine object repeats; None where it was too long to be repeated."""
    path = derived_key.partition("/")[2].rpartition("/")[0]
    dataset, _, rest = path.partition("/")
    folder, _, name = rest.partition("/")
    if rest == LONG_KEYS:
        return None
    return f"{folder}/{dataset}/{name}" if f"{folder}/" in RAW_PREFIXES else BRONZE_PREFIX + path
