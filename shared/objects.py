"""Objects in the bucket: their identity, their keys, and how they are read and written."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from shared import telemetry
from shared.errors import PermanentError, TransientError
from shared.failpoint import failpoint
from shared.topology import BRONZE_PREFIX, PLANS_PREFIX, QUARANTINE_PREFIX, SILVER_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MISSING = {"NoSuchKey", "NoSuchVersion", "NoSuchBucket", "404"}
LONGEST_PATH = 900  # bytes of a bronze key that fit, with what is added, into S3's limit of 1,024
UNANSWERABLE = {400, 404, 405}  # a malformed version, nothing there, a delete marker
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
    """What a GET brought: the bytes as stored, S3's time of storing them, and the object's own metadata."""

    body: bytes
    last_modified: datetime
    metadata: dict[str, str]


def get(s3: "S3Client", object_id: ObjectId, limit: int) -> Content:
    """The object's content, pinned to the version or eTag that its event named.

    Raises PermanentError if it is gone or larger than `limit` bytes, SupersededError if a newer one took its place,
    TransientError if S3 stumbles or the bytes are not those of the checksum that `put` stored with them.
    """
    try:
        answer = s3.get_object(Bucket=object_id.bucket, Key=object_id.key, **_pin(object_id))
    except ClientError as error:
        raise _explained(error, object_id) from error
    except ParamValidationError as error:
        message = f"{object_id.key}: {str(error).splitlines()[-1]}"
        raise PermanentError(message) from error
    if answer["ContentLength"] > limit:
        message = f"{object_id.key}: {answer['ContentLength']} bytes, more than the limit of {limit}"
        raise PermanentError(message)
    body = answer["Body"].read()
    expected = answer["Metadata"].get("sha256")
    if expected and not _dropped(object_id.key) and sha256(body).hexdigest() != expected:
        message = f"{object_id.key}: the bytes received are not those that were stored"
        raise TransientError(message)
    failpoint("object.got")
    return Content(body, answer["LastModified"], answer["Metadata"])


def put(s3: "S3Client", bucket: str, key: str, body: bytes, content_type: str) -> None:
    """Store an object with the checksum of its bytes and the current trace in its metadata."""
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=body,
        ContentType=content_type,
        Metadata={"sha256": sha256(body).hexdigest(), **telemetry.carrier()},
    )
    failpoint("object.put")


def exists(s3: "S3Client", bucket: str, key: str) -> bool:
    """Whether the bucket holds an object under this key now."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return False
        raise
    return True


def _dropped(key: str) -> bool:
    """Whether the object is somebody's upload, whose metadata is theirs."""
    return key.startswith(BRONZE_PREFIX) and is_upload(key)


def _pin(object_id: ObjectId) -> dict[str, Any]:
    if object_id.version_id:
        return {"VersionId": object_id.version_id}
    return {"IfMatch": object_id.etag} if object_id.etag else {}


def _explained(error: ClientError, object_id: ObjectId) -> Exception:
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = error.response["Error"]["Code"]
    if status == 412:  # noqa: PLR2004 - Precondition Failed: the eTag is no longer this one
        return SupersededError(f"{object_id.key}: a newer object has taken its place")
    if code in MISSING or status in UNANSWERABLE:
        return PermanentError(f"{object_id.key}: no such object in {object_id.bucket} (version {object_id.version})")
    return TransientError(f"{object_id.key}: S3 answered {code}")


def is_folder(object_id: ObjectId, content: Content) -> bool:
    """Whether it is the empty object that the S3 console calls a folder."""
    return object_id.key.endswith("/") and not content.body


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
    folder = f"{BRONZE_PREFIX}{dataset}/date={run_date(run_id)}/run={run_id}"
    return f"{folder}/part={part:04d}/page={page:04d}.json.gz"


def upload_key(dataset: str, name: str) -> str:
    """Where a file that somebody drops lies; any name below this folder will do."""
    return f"{BRONZE_PREFIX}{dataset}/uploads/{name}"


def plan_key(dataset: str, run_id: str) -> str:
    """Where the plan of a run lies."""
    return f"{PLANS_PREFIX}{dataset}/date={run_date(run_id)}/run={run_id}/plan.json"


def dataset_of(bronze_key: str) -> str:
    """The dataset's name in a bronze key. Raises PermanentError where the key has none."""
    _, _, rest = bronze_key.partition("/")
    name, slash, _ = rest.partition("/")
    if not bronze_key.startswith(BRONZE_PREFIX) or not slash or not name:
        message = f"{bronze_key}: not a bronze key (bronze/<dataset>/…)"
        raise PermanentError(message)
    return name


def is_upload(bronze_key: str) -> bool:
    """Whether the key is of a file that somebody dropped, rather than of a page that the extractor fetched."""
    return bronze_key.startswith(upload_key(dataset_of(bronze_key), ""))


def silver_key(bronze: ObjectId, transform_version: int) -> str:
    """Where the rows of a bronze object go: doing it again with the same code overwrites the same object."""
    return _derived(SILVER_PREFIX, bronze, transform_version, "parquet")


def quarantine_key(bronze: ObjectId, transform_version: int) -> str:
    """Where the rejected records of a bronze object go."""
    return _derived(QUARANTINE_PREFIX, bronze, transform_version, "jsonl.gz")


def _derived(prefix: str, bronze: ObjectId, transform_version: int, extension: str) -> str:
    identity = sha256(f"{bronze.bucket}\n{bronze.key}\n{bronze.version}".encode()).hexdigest()[:16]
    path = bronze.key.removeprefix(BRONZE_PREFIX)
    folder = path if len(path.encode()) < LONGEST_PATH else f"{dataset_of(bronze.key)}/long-keys"
    return f"{prefix}{folder}/{identity}-v{transform_version}.{extension}"
