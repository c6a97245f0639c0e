"""Reading dead letters without consuming them."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from services.ops.connections import Connections
from services.ops.dlq.lease import MAX_MESSAGES, QueueLease
from services.ops.queues import stats
from services.ops.queues.failures import Failure
from services.ops.queues.messages import MessageSubject
from shared.config.topology import QUEUES, Queue
from shared.engine.message import dead_letter_url
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Characters kept of a body: our own messages are much shorter, and ten thousand letters of 1 MiB would not fit in
# memory.
MAX_BODY_CHARS = 16_384
MAX_LETTERS = 1_000  # per queue, for a quick look
PATIENCE = 10  # s to wait for letters held by another process, which takes a few seconds to read them
DIED = "worker died"
CLOCK_TOLERANCE_SECONDS = 60  # s between a worker's query for SQS's time and its sending of the letter
REPLAYS = "replays"  # attribute with the number of replays


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter. Without a recorded reason its error is `worker died`.

    `sent` is when it came onto the dead-letter queue, in epoch seconds, or when it was first sent if SQS moved it.
    `attributes` are its string attributes. `body` may be truncated; `body_chars` is the full length.
    """

    queue: str
    id: str
    body: str
    error_type: str
    error_message: str
    attempts: str
    sent: float | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    body_chars: int = 0

    @property
    def is_cut(self) -> bool:
        """Whether `body` is truncated."""
        return self.body_chars > len(self.body)

    @property
    def line(self) -> str:
        """Queue, subject and error in one line."""
        return f"{self.queue}-dlq: {self.about}: {self.error_type}: {self.error_message}"

    @property
    def about(self) -> str:
        """The keys of its objects, or the beginning of its body."""
        return self.subject.summary

    @property
    def objects(self) -> list[ObjectId]:
        """The objects that the message names."""
        return self.subject.objects

    @property
    def datasets(self) -> set[str]:
        """The datasets that the message names."""
        return self.subject.datasets

    @cached_property
    def subject(self) -> MessageSubject:
        """The objects or command in the message."""
        return MessageSubject(self.body)

    @property
    def failure(self) -> Failure:
        """The failure, for grouping by reason."""
        return Failure(self.queue, self.error_type, self.error_message, self.subject)

    @property
    def replays(self) -> int:
        """The number of replays."""
        count = self.attributes.get(REPLAYS, "")
        return int(count) if count.isascii() and count.isdigit() else 0

    @property
    def trace_id(self) -> str:
        """The trace id, or empty."""
        _, _, after = self.attributes.get("traceparent", "").partition("-")
        return self.attributes.get("trace_id") or after.partition("-")[0]


@dataclass(frozen=True)
class Survey:
    """The dead letters read, and the number of others: held by another process, or beyond the limit."""

    letters: list[DeadLetter]
    unseen: int


def look(connections: Connections) -> list[DeadLetter]:
    """The dead letters of all queues, without those held by another process."""
    return survey(connections, most=MAX_LETTERS).letters


def look_if_any(connections: Connections) -> list[DeadLetter]:
    """The same, but only if there are any: reading hides them from others for a moment."""
    return look(connections) if any(counts.total for counts in stats.dead_letter_counts(connections).values()) else []


def survey(
    connections: Connections, queues: Sequence[Queue] = QUEUES, most: int = MAX_MESSAGES, patience: int = PATIENCE
) -> Survey:
    """Up to `most` dead letters per queue; waits `patience` seconds for those held by another process."""
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        surveys = list(pool.map(partial(_survey, connections, most=most, patience=patience), queues))
    letters = [letter for result in surveys for letter in result.letters]
    return Survey(letters, sum(result.unseen for result in surveys))


def _survey(connections: Connections, queue: Queue, *, most: int, patience: int) -> Survey:
    with QueueLease(connections.sqs, dead_letter_url(connections.settings.queue_url(queue))) as hold:
        letters = [dead_letter(queue.name, message) for message in hold.receive(most, patience)]
        return Survey(letters, hold.unseen())


def dead_letter(queue: str, message: "MessageTypeDef") -> DeadLetter:
    """From a message received from the dead-letter queue of `queue` with all attributes."""
    attributes = dict(_texts(message))
    sent = int(message["Attributes"]["SentTimestamp"]) / 1_000
    error_type, error_message, attempts = _reason(attributes, sent)
    return DeadLetter(
        queue=queue,
        id=message["MessageId"],
        body=message["Body"][:MAX_BODY_CHARS],
        body_chars=len(message["Body"]),
        error_type=error_type,
        error_message=error_message,
        attempts=attempts,
        sent=sent,
        attributes=attributes,
    )


def _reason(attributes: Mapping[str, str], sent: float) -> tuple[str, str, str]:
    """Error type, message and attempts.

    A redrive by SQS keeps attributes, so a message that died again without a reason still has its first reason; it is
    recognised by its later time of sending.
    """
    if "error_type" not in attributes:
        return DIED, "no reason recorded", "unknown"
    before = f"{attributes['error_type']}: {attributes.get('error_message', '')}"
    dead_since = attributes.get("dead_since", "")
    if dead_since.isdigit() and sent > int(dead_since) / 1_000 + CLOCK_TOLERANCE_SECONDS:
        return DIED, f"died again without a reason; the first was {before}", "unknown"
    return attributes["error_type"], attributes.get("error_message", ""), attributes.get("attempts", "unknown")


def _texts(message: "MessageTypeDef") -> Iterator[tuple[str, str]]:
    for name, value in message.get("MessageAttributes", {}).items():
        if "StringValue" in value:
            yield name, value["StringValue"]
