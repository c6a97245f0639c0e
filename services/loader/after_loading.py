"""What becomes of an upload once it is wholly loaded: the contract's option `afterLoading`.

Runs after the commit, and again if its message is delivered again, so each action may be repeated. Nothing is lost in a
versioned bucket: a deleted upload is hidden, and its version stays for lineage and reprocessing until a lifecycle rule
ends it. An upload under the same key that is newer is left alone: its own loading has its own action.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import ClientError

from shared.aws_errors import classifying, code_of
from shared.datasets import registry
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CopySourceTypeDef, TagTypeDef

log = structlog.get_logger()

TAG: "TagTypeDef" = {"Key": "smelt", "Value": "loaded"}
GONE = objects.MISSING | {"NoSuchVersion", "MethodNotAllowed"}  # the last one of a delete marker


def run(s3: "S3Client", dataset: str, upload: ObjectId) -> None:
    """Perform the action of the dataset's contract. Raises as `shared.aws_errors` says."""
    action = registry.dataset(dataset).contract.options.after_loading
    with classifying("bucket", f"afterLoading {action}: {upload.key}"):
        if ACTIONS[action](s3, upload):
            log.info("upload.handled", dataset=dataset, key=upload.key, action=action)


def _keep(_: "S3Client", __: ObjectId) -> bool:
    return False


def _tag(s3: "S3Client", upload: ObjectId) -> bool:
    """Add the tag to those that the object has."""
    version: dict[str, Any] = {"VersionId": upload.version_id} if upload.version_id else {}
    try:
        tags = s3.get_object_tagging(Bucket=upload.bucket, Key=upload.key, **version)["TagSet"]
        others = [tag for tag in tags if tag["Key"] != TAG["Key"]]
        s3.put_object_tagging(Bucket=upload.bucket, Key=upload.key, **version, Tagging={"TagSet": [*others, TAG]})
    except ClientError as error:
        if code_of(error) in GONE:
            return False
        raise
    return True


def _move(s3: "S3Client", upload: ObjectId) -> bool:
    if not _is_newest(s3, upload):
        return False
    source: CopySourceTypeDef = {"Bucket": upload.bucket, "Key": upload.key}
    if upload.version_id:
        source["VersionId"] = upload.version_id
    s3.copy(source, upload.bucket, object_keys.loaded_key(upload.key), {"TaggingDirective": "REPLACE"})
    return _delete(s3, upload)


def _delete(s3: "S3Client", upload: ObjectId) -> bool:
    if not _is_newest(s3, upload):
        return False
    s3.delete_object(Bucket=upload.bucket, Key=upload.key)
    return True


def _is_newest(s3: "S3Client", upload: ObjectId) -> bool:
    newest = objects.newest(s3, upload.bucket, upload.key)
    return newest is not None and newest.version == upload.version


ACTIONS: Mapping[str, Callable[["S3Client", ObjectId], bool]] = {
    "keep": _keep,
    "tag": _tag,
    "move": _move,
    "delete": _delete,
}
