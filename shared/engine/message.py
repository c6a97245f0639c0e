"""A received SQS message and the operations on it."""

import base64
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws_errors import code_of
from shared.failpoint import failpoint

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef, MessageTypeDef

    Attributes = dict[str, MessageAttributeValueTypeDef]

MAX_ATTRIBUTES = 10  # SQS's limit
MAX_ATTRIBUTE_LENGTH = 1_000  # characters
MAX_DELAY_SECONDS = 900  # SQS's limit for DelaySeconds
TOO_LARGE = {
    "InvalidParameterValue",
    "MessageTooLong",
    "BatchRequestTooLong",
}  # error codes for a message over a size limit
# Attributes by which a copy keeps the history of the original: SQS starts its receive count and age anew.
COPY_ATTRIBUTES = EARLIER_ATTEMPTS, FIRST_SENT, NOT_BEFORE = (
    "smelt_earlier_attempts",
    "smelt_first_sent",
    "smelt_not_before",
)
NOT_IN_SQS = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # SQS allows XML characters only


class TooLargeError(Exception):
    """The message and its attributes exceed SQS's limits."""


@dataclass(frozen=True)
class Message:
    """A message as received. `receives` includes this delivery; times are in epoch milliseconds.

    `attributes` has all attributes as text; `typed` has those that are not plain strings, with binary values in base64.
    """

    body: str
    id: str
    receipt: str
    queue_url: str
    receives: int
    sent: int
    first_received: int
    attributes: Mapping[str, str]
    typed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """Deliveries including this one, plus the attempts of earlier copies."""
        return _number(self.attributes.get(EARLIER_ATTEMPTS), 0) + self.receives

    @property
    def first_sent(self) -> int:
        """When the original was sent, if this is a copy."""
        return _number(self.attributes.get(FIRST_SENT), self.sent)

    @property
    def not_before(self) -> int:
        """The earliest time to handle it, for delays longer than SQS's limit."""
        return _number(self.attributes.get(NOT_BEFORE), 0)

    @property
    def was_tried(self) -> bool:
        """Whether it was delivered before."""
        return self.receives > 1 or FIRST_SENT in self.attributes

    @classmethod
    def received(cls, raw: "MessageTypeDef", queue_url: str) -> "Message":
        """From an element of boto3's receive_message response, requested with all attributes."""
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
            typed=_typed(raw),
        )

    def as_json(self) -> dict[str, Any]:
        """For passing it from the worker's main process to a child."""
        return asdict(self)


def delete(sqs: "SQSClient", message: Message) -> None:
    """Delete the message from its queue."""
    sqs.delete_message(QueueUrl=message.queue_url, ReceiptHandle=message.receipt)


def change_visibility(sqs: "SQSClient", message: Message, after: float) -> None:
    """Make the message visible in `after` seconds; also extends its lease."""
    sqs.change_message_visibility(
        QueueUrl=message.queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=round(after)
    )


def dead_letter_url(queue_url: str) -> str:
    """The URL of a queue's dead-letter queue, named as in `shared.config.topology`."""
    return f"{queue_url}-dlq"


def send_copy(sqs: "SQSClient", message: Message, after: float, attempts: int, now: float) -> str:
    """Send a copy that counts as tried `attempts` times, due in `after` seconds. Returns the copy's id.

    SQS's receive count cannot be reset, hence the copy; the caller deletes the original afterwards. A crash in between
    leaves both: a duplicate, not a loss. Raises TooLargeError if the attributes do not fit.
    """
    due = {NOT_BEFORE: str(round((now + after) * 1_000))} if after > MAX_DELAY_SECONDS else {}
    history = {EARLIER_ATTEMPTS: str(attempts), FIRST_SENT: str(message.first_sent), **due}
    delay = min(round(after), MAX_DELAY_SECONDS)
    copy = send(sqs, message.queue_url, message.body, own_attributes(message) | texts(history), delay)
    failpoint("message.put_back")
    return copy


def send(sqs: "SQSClient", url: str, body: str, attributes: "Attributes", delay: int = 0) -> str:
    """Send a message and return its id. Raises TooLargeError if it exceeds SQS's limits."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise TooLargeError
    try:
        sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, DelaySeconds=delay)
    except ClientError as error:
        if code_of(error) in TOO_LARGE:
            raise TooLargeError from error
        raise
    return sent["MessageId"]


def own_attributes(message: Message) -> "Attributes":
    """The message's attributes in their original types, without the history of earlier copies."""
    texts_only = {name: value for name, value in message.attributes.items() if name not in message.typed and value}
    plain: Attributes = {name: {"DataType": "String", "StringValue": value} for name, value in texts_only.items()}
    typed = {name: _untyped(value) for name, value in message.typed.items()}
    return {name: value for name, value in {**plain, **typed}.items() if name not in COPY_ATTRIBUTES}


def texts(values: Mapping[str, str]) -> "Attributes":
    """The non-empty values as string attributes, truncated and restricted to characters that SQS allows."""
    return {name: _attribute(value) for name, value in values.items() if value}


def _typed(raw: "MessageTypeDef") -> dict[str, dict[str, str]]:
    return {
        name: {
            kind: base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
            for kind, value in attribute.items()
            if value
        }
        for name, attribute in raw.get("MessageAttributes", {}).items()
        if attribute["DataType"] != "String"
    }


def _untyped(attribute: Mapping[str, str]) -> "MessageAttributeValueTypeDef":
    if "BinaryValue" in attribute:
        return {"DataType": attribute["DataType"], "BinaryValue": base64.b64decode(attribute["BinaryValue"])}
    return {"DataType": attribute["DataType"], "StringValue": attribute["StringValue"]}


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else otherwise


def _attribute(value: str) -> "MessageAttributeValueTypeDef":
    return {
        "DataType": "String",
        "StringValue": NOT_IN_SQS.sub("\N{REPLACEMENT CHARACTER}", value)[:MAX_ATTRIBUTE_LENGTH],
    }
