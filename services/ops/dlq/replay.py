"""Dead letters sent on their way again: planned without I/O, then done, with a row in `ops.operator_action`."""

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

MOST_REPLAYS = 3  # a message that died once more after so many has a reason that replaying does not mend
TRACE = ("traceparent", "tracestate")  # kept first: the replay belongs to the same trace
UNSENDABLE = {
    "InvalidMessageContents",
    "InvalidParameterValue",
    "AWS.SimpleQueueService.BatchRequestTooLong",
}  # it is about this message: the others can go

Attributes = Mapping[str, "MessageAttributeValueTypeDef"]
MAX_MESSAGE_BYTES = 1 << 20  # of a message, and of all in a batch: bodies, and names, types and values of attributes


@dataclass(frozen=True)
class Step:
    """What is to be done with one dead letter: where it goes, with what body if not its own, or why it stays."""

    letter: DeadLetter
    to: Queue
    patched: str | None = None
    refused: str | None = None


def plan(
    letters: Iterable[DeadLetter],
    sources: Mapping[str, Queue],
    patch: JsonPatch | None = None,
    to: Queue | None = None,
    *,
    force: bool = False,
) -> list[Step]:
    """One step for each letter. `sources` is {name of a work queue as SQS has it: queue}. Pure.

    A letter goes to the queue that it came from: the one it names if that is one of ours, else its dead-letter queue's.
    """
    return [_step(letter, to or _source(letter, sources), patch, force=force) for letter in letters]


def sources(connections: Connections) -> dict[str, Queue]:
    """{name of a work queue in this deployment: queue}."""
    return {connections.settings.queue_url(queue).rpartition("/")[2]: queue for queue in QUEUES}


def replay(
    connections: Connections,
    steps: list[Step],
    asked: Mapping[str, object],
    rate: float | None = None,
    on_done: OnProgress = lambda _: None,
) -> ActionResult:
    """Send what is not refused, at most `rate` a second; `asked` goes into the record.

    Each is sent before its dead letter is deleted: a crash in between leaves both, a duplicate, which is handled
    without effect, and never a loss. What was not sent is in `failed`.
    """
    todo = {step.letter.id: step for step in steps if not step.refused}
    what = {"action": "replay", **asked}
    with operator_log.recorded(connections.database, "dead_letter", "replayed", what, len(steps)) as tally:
        tally.failed.update((step.letter.id, step.refused) for step in steps if step.refused)
        for queue in QUEUES:
            url = dead_letter_url(connections.settings.queue_url(queue))
            ids = {identity for identity, step in todo.items() if step.letter.queue == queue.name}
            with QueueLease(connections.sqs, url) as hold:
                for batch in _batches(throttled(hold.among(ids), rate), todo, rate):
                    ids.difference_update(step.letter.id for step, _ in batch)
                    for to in {step.to for step, _ in batch}:
                        _send(connections, hold, to, [(s, entry) for s, entry in batch if s.to == to], tally)
                    on_done(len(batch))
            tally.failed.update(dict.fromkeys(ids, "no longer there, or held by somebody else"))
    return tally


def attributes(held: Attributes, replayed: int) -> Attributes:
    """What goes with a replayed message: its trace, the count, and as much of its own as the next burial can keep."""
    own = {
        name: value
        for name, value in held.items()
        if name not in {*REQUIRED_REASON, *OPTIONAL_REASON, *COPY_ATTRIBUTES, REPLAYS}
    }
    first = [*(name for name in TRACE if name in own), *(name for name in own if name not in TRACE)]
    kept = {name: own[name] for name in first[: MAX_ATTRIBUTES - len(REQUIRED_REASON) - 1]}
    return {REPLAYS: {"DataType": "String", "StringValue": str(replayed)}, **kept}


def _step(letter: DeadLetter, to: Queue, patch: JsonPatch | None, *, force: bool) -> Step:
    if letter.replays >= MOST_REPLAYS and not force:
        return Step(letter, to, refused=f"replayed {letter.replays} times already; --force sends it all the same")
    if not patch:
        return Step(letter, to)
    if letter.is_cut:
        too_long = (
            f"its body has {letter.body_chars:,} characters, more than the {MAX_BODY_CHARS:,} that can be patched"
        )
        return Step(letter, to, refused=too_long)
    try:
        body = patches.apply(patch, letter.body)
    except PermanentError as error:
        return Step(letter, to, refused=str(error))
    return Step(letter, to, body if body != letter.body else None)


def _source(letter: DeadLetter, sources: Mapping[str, Queue]) -> Queue:
    own = next(queue for queue in QUEUES if queue.name == letter.queue)
    return sources.get(letter.attributes.get("source_queue", ""), own)


def _batches(
    messages: Iterable["MessageTypeDef"], steps: Mapping[str, Step], rate: float | None
) -> Iterator[list[tuple[Step, "SendMessageBatchRequestEntryTypeDef"]]]:
    """What SQS takes in one request: ten messages of 1 MiB in all. Slow replays send no more than a second's worth."""
    most = max(1, min(BATCH, int(rate))) if rate else BATCH
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
        if len(batch) == most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _size(attributes: Attributes) -> int:
    """Bytes that count towards SQS's limit."""
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
    tally: ActionResult,
) -> None:
    """Send to one queue, then delete the dead letters of what was sent."""
    url, by_id = connections.settings.queue_url(to), {entry["Id"]: step.letter.id for step, entry in batch}
    try:
        answer = connections.sqs.send_message_batch(QueueUrl=url, Entries=[entry for _, entry in batch])
    except ClientError as error:
        if len(batch) > 1 or error.response["Error"]["Code"] not in UNSENDABLE:
            raise
        tally.failed[batch[0][0].letter.id] = f"SQS refuses it: {error.response['Error']['Message']}"
        return
    for failed in answer.get("Failed", []):
        tally.failed[by_id[failed["Id"]]] = f"SQS refuses it: {failed.get('Message', failed['Code'])}"
    sent = [by_id[entry["Id"]] for entry in answer["Successful"]]
    tally.done += len(sent)
    for identity, why in (hold.delete(sent) if sent else {}).items():
        tally.failed[identity] = f"sent, but still a dead letter: {why}"
