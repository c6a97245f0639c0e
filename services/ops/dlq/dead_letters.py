"""Dead letters: messages that could not be handled, and how to look at them without consuming them."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from services.ops.connections import Connections
from services.ops.dlq.lease import MOST as MOST_HELD
from services.ops.dlq.lease import QueueLease
from services.ops.queues import stats
from services.ops.queues.failures import Failure
from services.ops.queues.messages import MessageSubject
from shared.config.topology import QUEUES, Queue
from shared.engine.message import dead_letter_url
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Characters of a body that are kept while looking: our own messages have a few thousand at most, and ten thousand dead
# letters of 1 MiB each would not fit into memory.
MAX_BODY_CHARS = 16_384
MOST = 1_000  # messages of one queue that a passing look takes in
PATIENCE = 10  # s to wait for letters that another process holds while it looks at them, which takes a few seconds
DIED = "worker died"
BURIAL = 60  # s that a worker may take to send a dead letter after it asked SQS for the time
REPLAYS = "replays"  # the attribute that counts how often a message was sent again


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be handled, and why. Without a word from its worker the error is `worker died`.

    `sent` is when it came onto the dead-letter queue, in epoch seconds; where SQS itself moved it, when it was first
    sent. `attributes` are the texts among its attributes. `body` may be only the first part of a long body, of which
    `body_chars` is the length.
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
        """Whether `body` is only the beginning of the message's body."""
        return self.body_chars > len(self.body)

    @property
    def line(self) -> str:
        """Where, about what, and why."""
        return f"{self.queue}-dlq: {self.about}: {self.error_type}: {self.error_message}"

    @property
    def about(self) -> str:
        """The objects that the message names, or the beginning of its body."""
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
        """What the message is about."""
        return MessageSubject(self.body)

    @property
    def failure(self) -> Failure:
        """Why it could not be handled."""
        return Failure(self.queue, self.error_type, self.error_message, self.subject)

    @property
    def replays(self) -> int:
        """How often it was sent again already."""
        count = self.attributes.get(REPLAYS, "")
        return int(count) if count.isascii() and count.isdigit() else 0

    @property
    def trace_id(self) -> str:
        """The trace it belongs to; empty where nothing says so."""
        _, _, after = self.attributes.get("traceparent", "").partition("-")
        return self.attributes.get("trace_id") or after.partition("-")[0]


@dataclass(frozen=True)
class Survey:
    """The dead letters seen, and how many more there are: held by somebody else, or too many to look at."""

    letters: list[DeadLetter]
    unseen: int


def look(connections: Connections) -> list[DeadLetter]:
    """The dead letters of all queues. A message that somebody else holds at the moment is not seen."""
    return survey(connections, most=MOST).letters


def look_if_any(connections: Connections) -> list[DeadLetter]:
    """The same, asking first how many there are: to look hides them from others for a moment."""
    return look(connections) if any(counts.total for counts in stats.dead_letter_counts(connections).values()) else []


def survey(
    connections: Connections, queues: Sequence[Queue] = QUEUES, most: int = MOST_HELD, patience: int = PATIENCE
) -> Survey:
    """Up to `most` dead letters of each queue; waits `patience` seconds for those that somebody else holds."""
    with ThreadPoolExecutor(len(QUEUES)) as pool:
        surveys = list(pool.map(partial(_survey, connections, most=most, patience=patience), queues))
    letters = [letter for one in surveys for letter in one.letters]
    return Survey(letters, sum(one.unseen for one in surveys))


def _survey(connections: Connections, queue: Queue, *, most: int, patience: int) -> Survey:
    with QueueLease(connections.sqs, dead_letter_url(connections.settings.queue_url(queue))) as hold:
        letters = [dead_letter(queue.name, message) for message in hold.receive(most, patience)]
        return Survey(letters, hold.unseen())


def dead_letter(queue: str, message: "MessageTypeDef") -> DeadLetter:
    """A message as received from the dead-letter queue of `queue`, with all its attributes."""
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
    """The error's type, its message, and the attempts.

    A redrive by SQS itself keeps the attributes, so that a message that died again without a word still has the reason
    of its first death. But then it was sent after that.
    """
    if "error_type" not in attributes:
        return DIED, "no reason recorded", "unknown"
    before = f"{attributes['error_type']}: {attributes.get('error_message', '')}"
    dead_since = attributes.get("dead_since", "")
    if dead_since.isdigit() and sent > int(dead_since) / 1_000 + BURIAL:
        return DIED, f"died again without a reason; the first was {before}", "unknown"
    return attributes["error_type"], attributes.get("error_message", ""), attributes.get("attempts", "unknown")


def _texts(message: "MessageTypeDef") -> Iterator[tuple[str, str]]:
    for name, value in message.get("MessageAttributes", {}).items():
        if "StringValue" in value:
            yield name, value["StringValue"]
