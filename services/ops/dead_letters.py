"""Looking at dead letters without consuming them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.ops.connections import Connections
from shared.engine.message import dead_letter_url
from shared.errors import PermanentError
from shared.events import created_objects
from shared.topology import QUEUES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LOOK = 20  # s that a message is hidden while we look at the others; given back at once afterwards
SHORT = 160  # characters of a body in a line
MOST = 1_000  # messages of one queue that a look takes in


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be handled, and why. Without a word from its worker the error is `worker died`."""

    queue: str
    id: str
    body: str
    error_type: str
    error_message: str
    attempts: str

    @property
    def line(self) -> str:
        """Where, about what, and why."""
        return f"{self.queue}-dlq: {self.about}: {self.error_type}: {self.error_message}"

    @property
    def about(self) -> str:
        """The objects that the message names, or the start of a command or of whatever it is."""
        try:
            return ", ".join(stored.key for stored in created_objects(self.body))
        except PermanentError:
            return self.body[:SHORT]


def look(connections: Connections) -> list[DeadLetter]:
    """The dead letters of all queues. A message that somebody else holds at the moment is not seen."""
    return [
        _dead_letter(queue.name, message)
        for queue in QUEUES
        for message in _peek(connections.sqs, dead_letter_url(connections.settings.queue_url(queue)))
    ]


def _peek(sqs: "SQSClient", url: str) -> list["MessageTypeDef"]:
    messages = list(_receive(sqs, url))
    for start in range(0, len(messages), 10):
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for n, message in enumerate(messages[start : start + 10])
            ],
        )
    return messages


def _receive(sqs: "SQSClient", url: str) -> Iterator["MessageTypeDef"]:
    for _ in range(MOST // 10):
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=LOOK,
            WaitTimeSeconds=0,
            MessageAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            return
        yield from answer["Messages"]


def _dead_letter(queue: str, message: "MessageTypeDef") -> DeadLetter:
    reason = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    return DeadLetter(
        queue=queue,
        id=message["MessageId"],
        body=message["Body"],
        error_type=reason.get("error_type", "worker died"),
        error_message=reason.get("error_message", "no reason recorded"),
        attempts=reason.get("attempts", "unknown"),
    )
