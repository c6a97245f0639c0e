"""Dead letters sent on their way again: planned without I/O, then done, with a row in `ops.replay`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from jsonpatch import JsonPatch

from services.ops import patch as patches
from services.ops import replay_record
from services.ops.connections import Connections
from services.ops.dead_letters import REPLAYS, DeadLetter
from services.ops.hold import Hold
from services.ops.pace import paced
from services.ops.replay_record import Advance, Tally
from shared.engine.dead_letter import MORE, REASON
from shared.engine.message import CARRIED, MOST_ATTRIBUTES, dead_letter_url
from shared.errors import PermanentError
from shared.topology import QUEUES, Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

MOST_REPLAYS = 3  # a message that died once more after so many has a reason that replaying does not mend
TRACE = ("traceparent", "tracestate")  # kept first: the replay belongs to the same trace
UNSENDABLE = {"InvalidMessageContents", "InvalidParameterValue"}  # it is about this message: the others can go

Attributes = Mapping[str, "MessageAttributeValueOutputTypeDef"]


@dataclass(frozen=True)
class Step:
    """What is to be done with one dead letter: where it goes and with what body, or why it stays."""

    letter: DeadLetter
    to: Queue
    body: str
    refused: str | None = None

    @property
    def patched(self) -> bool:
        """Whether it goes with another body than it came with."""
        return self.body != self.letter.body


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
    on_done: Advance = lambda _: None,
) -> Tally:
    """Send what is not refused, at most `rate` a second; `asked` goes into the record.

    Each is sent before its dead letter is deleted: a crash in between leaves both, a duplicate, which is handled
    without effect, and never a loss. What was not sent is in `failed`.
    """
    todo = {step.letter.id: step for step in steps if not step.refused}
    what = {"action": "replay", **asked}
    with replay_record.recorded(connections.database, "dead_letter", "replayed", what, len(steps)) as tally:
        tally.failed.update((step.letter.id, step.refused) for step in steps if step.refused)
        for queue in QUEUES:
            url = dead_letter_url(connections.settings.queue_url(queue))
            ids = {identity for identity, step in todo.items() if step.letter.queue == queue.name}
            with Hold(connections.sqs, url) as hold:
                for message in paced(hold.among(ids), rate):
                    ids.remove(message["MessageId"])
                    _send(connections, hold, message, todo[message["MessageId"]], tally)
                    on_done(1)
            tally.failed.update(dict.fromkeys(ids, "no longer there, or held by somebody else"))
    return tally


def attributes(held: Attributes, replayed: int) -> Attributes:
    """What goes with a replayed message: its trace, the count, and as much of its own as the next burial can keep."""
    own = {name: value for name, value in held.items() if name not in {*REASON, *MORE, *CARRIED, REPLAYS}}
    first = [*(name for name in TRACE if name in own), *(name for name in own if name not in TRACE)]
    kept = {name: own[name] for name in first[: MOST_ATTRIBUTES - len(REASON) - 1]}
    return {REPLAYS: {"DataType": "String", "StringValue": str(replayed)}, **kept}


def _step(letter: DeadLetter, to: Queue, patch: JsonPatch | None, *, force: bool) -> Step:
    if letter.replays >= MOST_REPLAYS and not force:
        return Step(letter, to, letter.body, f"replayed {letter.replays} times already; --force sends it all the same")
    try:
        return Step(letter, to, patches.apply(patch, letter.body) if patch else letter.body)
    except PermanentError as error:
        return Step(letter, to, letter.body, str(error))


def _source(letter: DeadLetter, sources: Mapping[str, Queue]) -> Queue:
    own = next(queue for queue in QUEUES if queue.name == letter.queue)
    return sources.get(letter.attributes.get("source_queue", ""), own)


def _send(connections: Connections, hold: Hold, message: "MessageTypeDef", step: Step, tally: Tally) -> None:
    try:
        connections.sqs.send_message(
            QueueUrl=connections.settings.queue_url(step.to),
            MessageBody=step.body,
            MessageAttributes=attributes(message.get("MessageAttributes", {}), step.letter.replays + 1),
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNSENDABLE:
            raise
        tally.failed[step.letter.id] = f"SQS refuses it: {error.response['Error']['Message']}"
        return
    tally.done += 1
    try:
        hold.delete(message)
    except ClientError as error:
        tally.failed[step.letter.id] = f"sent, but still a dead letter: {error.response['Error']['Message']}"
