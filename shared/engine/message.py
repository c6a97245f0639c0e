"""One received SQS message, and what may be done with it."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shared import telemetry

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

MOST_ATTRIBUTES = 10  # of a message, SQS's limit
LONGEST_ATTRIBUTE = 1_000  # characters of an error message kept on a dead letter
NOT_IN_SQS = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # SQS takes XML characters only


@dataclass(frozen=True)
class Message:
    """A message as received: the body untouched, `receives` counting this time, times in epoch milliseconds."""

    body: str
    id: str
    receipt: str
    queue_url: str
    receives: int
    sent: int
    first_received: int
    attributes: Mapping[str, str]

    @classmethod
    def received(cls, raw: "MessageTypeDef", queue_url: str) -> "Message":
        """From boto3's answer to a receive that asked for all attributes."""
        system = raw["Attributes"]
        return cls(
            body=raw["Body"],
            id=raw["MessageId"],
            receipt=raw["ReceiptHandle"],
            queue_url=queue_url,
            receives=int(system["ApproximateReceiveCount"]),
            sent=int(system["SentTimestamp"]),
            first_received=int(system["ApproximateFirstReceiveTimestamp"]),
            attributes={name: a.get("StringValue", "") for name, a in raw.get("MessageAttributes", {}).items()},
        )

    def as_json(self) -> dict[str, Any]:
        """For the way from the worker's main process to its children."""
        return asdict(self)


def delete(sqs: "SQSClient", message: Message) -> None:
    """Done: take the message off its queue."""
    sqs.delete_message(QueueUrl=message.queue_url, ReceiptHandle=message.receipt)


def show_again(sqs: "SQSClient", message: Message, after: float) -> None:
    """Leave the message on its queue, visible again after so many seconds (also how its lease is extended)."""
    sqs.change_message_visibility(
        QueueUrl=message.queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=round(after)
    )


def dead_letter_url(queue_url: str) -> str:
    """The URL of a queue's dead-letter queue: `shared.topology` names them so."""
    return f"{queue_url}-dlq"


def bury(sqs: "SQSClient", message: Message, service: str, error: BaseException) -> None:
    """Copy the message to the dead-letter queue with the reason as attributes, then delete it.

    A crash in between leaves both: the copy is then a duplicate, never a loss. Attributes the message carried are kept
    as far as SQS's limit allows.
    """
    reason = {
        "error_type": type(error).__name__,
        "error_message": str(error) or type(error).__name__,
        "service": service,
        "source_queue": message.queue_url.rpartition("/")[2],
        "attempts": str(message.receives),
        "first_received": str(message.first_received),
        "trace_id": telemetry.trace_id(),
    }
    kept = {name: value for name, value in message.attributes.items() if name not in reason}
    sqs.send_message(
        QueueUrl=dead_letter_url(message.queue_url),
        MessageBody=message.body,
        MessageAttributes=_attributes({**reason, **kept}),
    )
    delete(sqs, message)


def _attributes(values: Mapping[str, str]) -> "dict[str, MessageAttributeValueTypeDef]":
    """The first that are not empty, as many as SQS takes."""
    filled = [(name, value) for name, value in values.items() if value]
    return {name: _attribute(value) for name, value in filled[:MOST_ATTRIBUTES]}


def _attribute(value: str) -> "MessageAttributeValueTypeDef":
    return {"DataType": "String", "StringValue": NOT_IN_SQS.sub("\N{REPLACEMENT CHARACTER}", value)[:LONGEST_ATTRIBUTE]}
