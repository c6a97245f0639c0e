"""S3 event notifications in all their forms."""

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import unquote_plus

from shared.errors import PermanentError
from shared.storage.object_id import ObjectId

# Message attribute that requests transforming an object without hash-only records.
IN_FULL = "smelt_in_full"
# What to do with an event, by the first part of its name (`ObjectCreated:Put`) or by EventBridge's detail type. Unknown
# kinds become dead letters.
Kind = Literal["created", "ignored"]
KINDS: Mapping[str, Kind] = {
    "ObjectCreated": "created",
    "ObjectRemoved": "ignored",
    "ObjectRestore": "ignored",
    "ObjectAccessed": "ignored",  # MinIO's
    "ObjectTagging": "ignored",
    "ObjectAcl": "ignored",
    "LifecycleExpiration": "ignored",
    "LifecycleTransition": "ignored",
    "IntelligentTiering": "ignored",
    "Replication": "ignored",
    "ReducedRedundancyLostObject": "ignored",
    "TestEvent": "ignored",
}
DETAIL_TYPES: Mapping[str, Kind] = {
    "Object Created": "created",
    "Object Deleted": "ignored",
    "Object Restore Initiated": "ignored",
    "Object Restore Completed": "ignored",
    "Object Restore Expired": "ignored",
    "Object Storage Class Changed": "ignored",
    "Object Access Tier Changed": "ignored",
    "Object ACL Updated": "ignored",
    "Object Tags Added": "ignored",
    "Object Tags Deleted": "ignored",
}
PREFIX = "s3:"  # in the event names of MinIO and Ceph


class UnknownKindError(Exception):
    """The kind of event is unknown."""


def created_objects(body: str) -> list[ObjectId]:
    """The created objects in a message; none for test events and ignored kinds.

    Accepts S3's notification, the same wrapped by SNS, and EventBridge's form. Raises PermanentError for anything else.
    """
    try:
        return _created(json.loads(body))
    except UnknownKindError as error:
        message = f"not an S3 event that smelt knows: {error}"
        raise PermanentError(message) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"not an S3 event: {type(error).__name__}: {error}"
        raise PermanentError(message) from None


def single_events(body: str) -> list[str]:
    """A body for each record of a message with several, otherwise the unchanged body."""
    try:
        event = json.loads(body)
        if event.get("Type") == "Notification":
            event = json.loads(event["Message"])
        records = event["Records"]
        several = isinstance(records, list) and len(records) > 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [body]
    return [json.dumps({**event, "Records": [record]}) for record in records] if several else [body]


def created_event(stored: ObjectId) -> str:
    """An EventBridge event for the object, to process it again."""
    described = {
        "key": stored.key, "etag": stored.etag, "version-id": stored.version_id, "sequencer": stored.sequencer
    }  # fmt: skip
    detail = {
        "bucket": {"name": stored.bucket},
        "object": {name: value for name, value in described.items() if value is not None},
    }
    return json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})


def _created(event: dict[str, Any]) -> list[ObjectId]:
    if event.get("Type") == "Notification":
        return _created(json.loads(event["Message"]))
    if event.get("Event") == "s3:TestEvent":
        return []
    if event.get("source") == "aws.s3":
        created = _kind(DETAIL_TYPES, event["detail-type"], "detail-type", event["detail-type"]) == "created"
        return [_from_eventbridge(event["detail"])] if created else []
    records = event["Records"]
    if not isinstance(records, list):
        message = "Records is not a list"
        raise TypeError(message)
    if not records:
        message = "no Records"
        raise UnknownKindError(message)
    return [_from_record(record) for record in records if _kind_of_record(record) == "created"]


def _kind_of_record(record: dict[str, Any]) -> Kind:
    name = record["eventName"]
    return _kind(KINDS, name.removeprefix(PREFIX).partition(":")[0], "eventName", name)


def _kind(kinds: Mapping[str, Kind], kind: str, field: str, said: str) -> Kind:
    if kind not in kinds:
        message = f"{field} {said!r}"
        raise UnknownKindError(message)
    return kinds[kind]


def _from_record(record: dict[str, Any]) -> ObjectId:
    stored = record["s3"]["object"]
    key = unquote_plus(stored["key"], errors="strict")
    return _object_id(record["s3"]["bucket"]["name"], key, stored, ("versionId", "eTag", "sequencer"))


def _from_eventbridge(detail: dict[str, Any]) -> ObjectId:
    stored = detail["object"]
    key = stored["key"]  # not URL-encoded in this form
    return _object_id(detail["bucket"]["name"], key, stored, ("version-id", "etag", "sequencer"))


def _object_id(bucket: Any, key: Any, stored: dict[str, Any], names: tuple[str, str, str]) -> ObjectId:
    optional = [stored.get(name) for name in names]
    if not all(isinstance(value, str) for value in (bucket, key, *(value for value in optional if value is not None))):
        message = "bucket, key, version, eTag and sequencer must be text"
        raise TypeError(message)
    return ObjectId(bucket, key, *optional)
