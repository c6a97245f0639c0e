"""What arrives on the queues: S3's notifications in all their forms, and smelt's own commands."""

import json
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.errors import PermanentError
from shared.objects import ObjectId


class RunCommand(BaseModel):
    """Start a run: plan what to fetch from a dataset's source. `slot` is the scheduled time, where a schedule asks."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    type: Literal["run"] = "run"
    dataset: str
    run_id: str | None = None
    params: dict[str, str] = {}
    trigger: str = "command"
    slot: str | None = None


class PageCommand(BaseModel):
    """Fetch one page of a planned run. Pages and parts count from 1; `of` is the number of pages of the part."""

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    type: Literal["page"] = "page"
    dataset: str
    run_id: str
    params: dict[str, str]
    part: int = Field(ge=1)
    page: int = Field(ge=1)
    of: int = Field(ge=1)


Command = RunCommand | PageCommand
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="type")])


def command(body: str) -> Command:
    """The command in a message of the extract queue. Raises PermanentError for anything else."""
    try:
        return _COMMAND.validate_json(body)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)[:3])
        message = f"not a smelt command: {problems}"
        raise PermanentError(message) from None


def created_objects(body: str) -> list[ObjectId]:
    """The objects that a message of an S3 queue says were created; none for test events and deletes.

    Accepts S3's own form, the same wrapped by SNS, and EventBridge's. Raises PermanentError for anything else.
    """
    try:
        return _created(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"not an S3 event: {type(error).__name__}: {error}"
        raise PermanentError(message) from None


def _created(event: dict[str, Any]) -> list[ObjectId]:
    if event.get("Type") == "Notification":
        return _created(json.loads(event["Message"]))
    if event.get("Event") == "s3:TestEvent":
        return []
    if event.get("source") == "aws.s3":
        return [_from_eventbridge(event["detail"])] if event["detail-type"] == "Object Created" else []
    return [_from_record(record) for record in event["Records"] if record["eventName"].startswith("ObjectCreated:")]


def _from_record(record: dict[str, Any]) -> ObjectId:
    stored = record["s3"]["object"]
    return ObjectId(
        bucket=record["s3"]["bucket"]["name"],
        key=unquote_plus(stored["key"], errors="strict"),
        version_id=stored.get("versionId"),
        etag=stored.get("eTag"),
        sequencer=stored.get("sequencer"),
    )


def _from_eventbridge(detail: dict[str, Any]) -> ObjectId:
    stored = detail["object"]
    return ObjectId(
        bucket=detail["bucket"]["name"],
        key=stored["key"],  # not URL-encoded in this form
        version_id=stored.get("version-id"),
        etag=stored.get("etag"),
        sequencer=stored.get("sequencer"),
    )
