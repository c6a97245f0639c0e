"""Discarding dead letters: copied to the bucket, deleted, and recorded in `ops.operator_action`."""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from services.ops import operator_log
from services.ops.connections import Connections
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.dlq.lease import BATCH, QueueLease
from services.ops.operator_log import ActionResult, OnProgress
from shared.config.topology import DISCARDED_PREFIX, QUEUES, Queue
from shared.engine.message import dead_letter_url
from shared.storage import objects

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

MESSAGES_PER_OBJECT = 500  # messages per object


def discard(
    connections: Connections,
    letters: list[DeadLetter],
    reason: str,
    filter_json: Mapping[str, object],
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Delete letters, each after its copy is in the bucket."""
    what = {"action": "discard", "reason": reason, **filter_json}
    with operator_log.record_action(connections.database, "dead_letter", "discarded", what, len(letters)) as result:
        for queue in QUEUES:
            ids = {letter.id for letter in letters if letter.queue == queue.name}
            with QueueLease(connections.sqs, dead_letter_url(connections.settings.queue_url(queue))) as hold:
                for messages in _chunks(hold.among(ids)):
                    result.copies.append(_keep(connections, queue, messages, reason, result))
                    ids.difference_update(message["MessageId"] for message in messages)
                    _delete(hold, [message["MessageId"] for message in messages], result, on_done)
            result.failed.update(dict.fromkeys(ids, "no longer there, or held by another process"))
    return result


def _keep(
    connections: Connections, queue: Queue, messages: list["MessageTypeDef"], reason: str, result: ActionResult
) -> str:
    now = datetime.now(UTC)
    name = f"{now:%H%M%S}-{result.identity}-{queue.name}-{result.done + 1}"
    key = f"{DISCARDED_PREFIX}{now:%Y-%m-%d}/{name}.jsonl.gz"
    about = {
        "queue": queue.dead_letter_name,
        "reason": reason,
        "who": operator_log.operator(),
        "discarded_at": f"{now:%FT%TZ}",
    }
    lines = [json.dumps({**about, **_copy(message)}, default=_text) for message in messages]
    body = gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
    objects.put(connections.s3, connections.settings.bucket, key, body, "application/x-ndjson")
    return key


def _delete(hold: QueueLease, ids: Sequence[str], result: ActionResult, on_done: OnProgress) -> None:
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        failed = hold.delete(batch)
        result.done += len(batch) - len(failed)
        result.failed.update((identity, f"copied, but not deleted: {why}") for identity, why in failed.items())
        on_done(len(batch))


def _copy(message: "MessageTypeDef") -> dict[str, object]:
    return {
        "message_id": message["MessageId"],
        "body": message["Body"],
        "attributes": message.get("MessageAttributes", {}),
        "sqs": message.get("Attributes", {}),
    }


def _text(value: object) -> str:
    """Encode binary attributes, which JSON cannot represent."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _chunks(messages: Iterable["MessageTypeDef"]) -> Iterator[list["MessageTypeDef"]]:
    remaining = iter(messages)
    while chunk := list(islice(remaining, MESSAGES_PER_OBJECT)):
        yield chunk
