"""The state in the bucket of an object that a message names."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.ops.connections import Connections
from shared.storage import objects
from shared.storage.object_id import ObjectId


def state_of(connections: Connections, object_id: ObjectId) -> str:
    """`stored` with its size, `gone`, or `unknown` with the error's name."""
    pinned: dict[str, Any] = {"VersionId": object_id.version_id} if object_id.version_id else {}
    try:
        head = connections.s3.head_object(Bucket=object_id.bucket, Key=object_id.key, **pinned)
    except ClientError as error:
        gone = error.response["Error"]["Code"] in objects.MISSING
        return "gone" if gone else f"unknown ({error.response['Error']['Code']})"
    except BotoCoreError as error:
        return f"unknown ({type(error).__name__})"
    return f"stored, {head['ContentLength']:,} bytes"
