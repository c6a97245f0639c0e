"""Replaying dead letters: prepared without I/O, then sent, with a row in `ops.operator_action`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError
from jsonpatch import JsonPatch

from services.ops import operator_log
from services.ops.connections import Connections
from services.ops.dlq import patch as patches
from services.ops.dlq.dead_letters import MAX_BODY_CHARS, REPLAYS, DeadLetter
from services.ops.dlq.lease import BATCH, QueueLease
from services.ops.operator_log import ActionResult, OnProgress
from services.ops.throttle import throttled
from shared.config.topology import QUEUES, Queue
from shared.engine.dead_letter import OPTIONAL_REASON, REQUIRED_REASON
from shared.engine.message import COPY_ATTRIBUTES, MAX_ATTRIBUTES, dead_letter_url
from shared.errors import PermanentError

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueTypeDef,
        MessageTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

MAX_REPLAYS = 3  # a message that keeps failing needs another remedy
TRACE = ("traceparent", "tracestate")  # take precedence, so that the replay belongs to the same trace
MESSAGE_ERRORS = {
    "InvalidMessageContents",
    "InvalidParameterValue",
    "AWS.SimpleQueueService.BatchRequestTooLong",
}  # errors about this message only

Attributes = Mapping[str, "MessageAttributeValueTypeDef"]
MAX_MESSAGE_BYTES = 1 << 20  # of a message or batch: bodies, and names, types and values of attributes


@dataclass(frozen=True)
class Step:
    """The replay of one letter: target queue, changed body if any, or the reason not to send it."""

    letter: DeadLetter
    to: Queue
    patched: str | None = None
    rejected: str | None = None


def plan(
    letters: Iterable[DeadLetter],
    sources: Mapping[str, Queue],
    patch: JsonPatch | None = None,
    to: Queue | None = None,
    *,
    force: bool = False,
) -> list[Step]:
    """A step for each letter. `sources` is {queue name in SQS: queue}. No I/O.

    A letter goes to the queue named in its attributes if that is a smelt queue, else to the queue of its DLQ.
    """
    return [_step(letter, to or _source(letter, sources), patch, force=force) for letter in letters]


def sources(connections: Connections) -> dict[str, Queue]:
    """{name of a work queue in this deployment: queue}."""
    return {connections.settings.queue_url(queue).rpartition("/")[2]: queue for queue in QUEUES}


def replay(
    connections: Connections,
    steps: list[Step],
    filter_json: Mapping[str, object],
    rate: float | None = None,
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Send the letters that are not rejected, at most `rate` per second; `filter_json` goes into the record.

    Each is sent before its dead letter is deleted: a crash in between leaves a duplicate, which is handled without
    effect. Letters that were not sent are in `failed`.
    """
    pending = {step.letter.id: step for step in steps if not step.rejected}
    what = {"action": "replay", **filter_json}
    with operator_log.record_action(connections.database, "dead_letter", "replayed", what, len(steps)) as result:
        result.failed.update((step.letter.id, step.rejected) for step in steps if step.rejected)
        for queue in QUEUES:
            url = dead_letter_url(connections.settings.queue_url(queue))
            ids = {identity for identity, step in pending.items() if step.letter.queue == queue.name}
            with QueueLease(connections.sqs, url) as hold:
                for batch in _batches(throttled(hold.among(ids), rate), pending, rate):
                    ids.difference_update(step.letter.id for step, _ in batch)
                    for to in {step.to for step, _ in batch}:
                        _send(connections, hold, to, [(s, entry) for s, entry in batch if s.to == to], result)
                    on_done(len(batch))
            result.failed.update(dict.fromkeys(ids, "no longer there, or held by another process"))
    return result


def attributes(original: Attributes, replayed: int) -> Attributes:
    """Attributes of a replayed message: trace, number of replays, and as many of its own as leave room for a reason."""
    own = {
        name: value
        for name, value in original.items()
        if name not in {*REQUIRED_REASON, *OPTIONAL_REASON, *COPY_ATTRIBUTES, REPLAYS}
    }
    first = [*(name for name in TRACE if name in own), *(name for name in own if name not in TRACE)]
    kept = {name: own[name] for name in first[: MAX_ATTRIBUTES - len(REQUIRED_REASON) - 1]}
    return {REPLAYS: {"DataType": "String", "StringValue": str(replayed)}, **kept}


def _step(letter: DeadLetter, to: Queue, patch: JsonPatch | None, *, force: bool) -> Step:
    if letter.replays >= MAX_REPLAYS and not force:
        return Step(letter, to, rejected=f"replayed {letter.replays} times already; use --force to send it anyway")
    if not patch:
        return Step(letter, to)
    if letter.is_cut:
        too_long = (
            f"its body has {letter.body_chars:,} characters, more than the {MAX_BODY_CHARS:,} that can be patched"
        )
        return Step(letter, to, rejected=too_long)
    try:
        body = patches.apply(patch, letter.body)
    except PermanentError as error:
        return Step(letter, to, rejected=str(error))
    return Step(letter, to, body if body != letter.body else None)


def _source(letter: DeadLetter, sources: Mapping[str, Queue]) -> Queue:
    own = next(queue for queue in QUEUES if queue.name == letter.queue)
    return sources.get(letter.attributes.get("source_queue", ""), own)


def _batches(
    messages: Iterable["MessageTypeDef"], steps: Mapping[str, Step], rate: float | None
) -> Iterator[list[tuple[Step, "SendMessageBatchRequestEntryTypeDef"]]]:
    """Batches within SQS's limits of ten messages and 1 MiB; slow replays send at most a second's worth."""
    max_size = max(1, min(BATCH, int(rate))) if rate else BATCH
    batch: list[tuple[Step, SendMessageBatchRequestEntryTypeDef]] = []
    size = 0
    for message in messages:
        step = steps[message["MessageId"]]
        own = attributes(cast("Attributes", message.get("MessageAttributes", {})), step.letter.replays + 1)
        body = message["Body"] if step.patched is None else step.patched
        length = len(body.encode()) + _size(own)
        if batch and size + length > MAX_MESSAGE_BYTES:
            yield batch
            batch, size = [], 0
        batch.append((step, {"Id": str(len(batch)), "MessageBody": body, "MessageAttributes": own}))
        size += length
        if len(batch) == max_size:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(attributes: Attributes) -> int:
    """The size that counts towards SQS's limit."""
    return sum(
        len(name.encode()) + len(value["DataType"]) + len(value.get("StringValue", "").encode() or _binary(value))
        for name, value in attributes.items()
    )


def _binary(value: "MessageAttributeValueTypeDef") -> bytes:
    return cast("bytes", value.get("BinaryValue", b""))


def _send(
    connections: Connections,
    hold: QueueLease,
    to: Queue,
    batch: Sequence[tuple[Step, "SendMessageBatchRequestEntryTypeDef"]],
    result: ActionResult,
) -> None:
    """Send a batch to one queue, then delete the dead letters that were sent."""
    url, by_id = connections.settings.queue_url(to), {entry["Id"]: step.letter.id for step, entry in batch}
    try:
        response = connections.sqs.send_message_batch(QueueUrl=url, Entries=[entry for _, entry in batch])
    except ClientError as error:
        if len(batch) > 1 or error.response["Error"]["Code"] not in MESSAGE_ERRORS:
            raise
        result.failed[batch[0][0].letter.id] = f"rejected by SQS: {error.response['Error']['Message']}"
        return
    for failed in response.get("Failed", []):
        result.failed[by_id[failed["Id"]]] = f"rejected by SQS: {failed.get('Message', failed['Code'])}"
    sent = [by_id[entry["Id"]] for entry in response["Successful"]]
    result.done += len(sent)
    for identity, why in (hold.delete(sent) if sent else {}).items():
        result.failed[identity] = f"sent, but still a dead letter: {why}"
