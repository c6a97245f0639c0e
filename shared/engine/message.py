"""One received SQS message, and what may be done with it."""

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

MOST_ATTRIBUTES = 10  # of a message, SQS's limit
LONGEST_ATTRIBUTE = 1_000  # characters of an error message kept on a dead letter
LONGEST_DELAY = 900  # s, SQS's limit for a message that is sent
TOO_LARGE = {
    "InvalidParameterValue",
    "MessageTooLong",
    "BatchRequestTooLong",
}  # SQS's, over its limit
# What a copy of a message carries of the one it replaces. SQS counts receives anew for a copy, and so its age.
CARRIED = EARLIER_ATTEMPTS, FIRST_SENT, NOT_BEFORE = "smelt_earlier_attempts", "smelt_first_sent", "smelt_not_before"
NOT_IN_SQS = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # SQS takes XML characters only


class TooLargeError(Exception):
    """SQS does not take a message with so many or so long attributes."""


@dataclass(frozen=True)
class Message:
    """A message as received: the body untouched, `receives` counting this time, times in epoch milliseconds.

    `attributes` are texts; `typed` has those as they came that are not plain strings, with bytes in base64.
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
        """How often it was tried, this time included: its receives, and those of earlier copies that count."""
        return _number(self.attributes.get(EARLIER_ATTEMPTS), 0) + self.receives

    @property
    def first_sent(self) -> int:
        """When it was first sent, also if what was received is a copy."""
        return _number(self.attributes.get(FIRST_SENT), self.sent)

    @property
    def not_before(self) -> int:
        """When to handle it at the earliest: a wait longer than SQS's longest delay."""
        return _number(self.attributes.get(NOT_BEFORE), 0)

    @property
    def was_tried(self) -> bool:
        """Whether a worker had it before."""
        return self.receives > 1 or FIRST_SENT in self.attributes

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
            typed=_typed(raw),
        )

    def as_json(self) -> dict[str, Any]:
        """For the way from the worker's main process to its children."""
        return asdict(self)


def delete(sqs: "SQSClient", message: Message) -> None:
    """Done: take the message off its queue."""
    sqs.delete_message(QueueUrl=message.queue_url, ReceiptHandle=message.receipt)


def change_visibility(sqs: "SQSClient", message: Message, after: float) -> None:
    """Leave the message on its queue, visible again after so many seconds (also how its lease is extended)."""
    sqs.change_message_visibility(
        QueueUrl=message.queue_url, ReceiptHandle=message.receipt, VisibilityTimeout=round(after)
    )


def dead_letter_url(queue_url: str) -> str:
    """The URL of a queue's dead-letter queue: `shared.config.topology` names them so."""
    return f"{queue_url}-dlq"


def send_copy(sqs: "SQSClient", message: Message, after: float, attempts: int, now: float) -> str:
    """Send a copy of the message that was tried `attempts` times, due in `after` seconds. Returns the copy's id.

    SQS's own count of receives cannot be set back. Whoever deletes the original afterwards and crashes before leaves
    both: a duplicate, never a loss. Raises TooLargeError where what it carries does not fit.
    """
    due = {NOT_BEFORE: str(round((now + after) * 1_000))} if after > LONGEST_DELAY else {}
    carried = {EARLIER_ATTEMPTS: str(attempts), FIRST_SENT: str(message.first_sent), **due}
    delay = min(round(after), LONGEST_DELAY)
    copy = send(sqs, message.queue_url, message.body, own_attributes(message) | texts(carried), delay)
    failpoint("message.put_back")
    return copy


def send(sqs: "SQSClient", url: str, body: str, attributes: "Attributes", delay: int = 0) -> str:
    """Send a message; returns its id. Raises TooLargeError where it does not fit into SQS's limits."""
    if len(attributes) > MOST_ATTRIBUTES:
        raise TooLargeError
    try:
        sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes, DelaySeconds=delay)
    except ClientError as error:
        if code_of(error) in TOO_LARGE:
            raise TooLargeError from error
        raise
    return sent["MessageId"]


def own_attributes(message: Message) -> "Attributes":
    """What the message came with, as it was, but for what earlier copies carried."""
    texts_only = {name: value for name, value in message.attributes.items() if name not in message.typed and value}
    plain: Attributes = {name: {"DataType": "String", "StringValue": value} for name, value in texts_only.items()}
    typed = {name: _untyped(value) for name, value in message.typed.items()}
    return {name: value for name, value in {**plain, **typed}.items() if name not in CARRIED}


def texts(values: Mapping[str, str]) -> "Attributes":
    """Those that are not empty as attributes, cut to a length, in characters that SQS takes."""
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
    return {"DataType": "String", "StringValue": NOT_IN_SQS.sub("\N{REPLACEMENT CHARACTER}", value)[:LONGEST_ATTRIBUTE]}
