"""Messages that are given up: moved to the dead-letter queue, with the reason as message attributes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from shared import telemetry
from shared.engine.message import (
    MOST_ATTRIBUTES,
    Message,
    TooLargeError,
    dead_letter_url,
    delete,
    own_attributes,
    send,
    texts,
)

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from shared.engine.message import Attributes

# What a reason consists of: what must be there, and what gives way to the message's own attributes.
REASON = ("error_type", "error_message", "service", "source_queue", "attempts", "dead_since")
MORE = ("first_received", "trace_id")
SHORT = 200  # characters of an error message where there is little room


def move_to_dead_letter_queue(sqs: "SQSClient", message: Message, service: str, error: BaseException) -> None:
    """Copy the message to the dead-letter queue with the reason, then delete it.

    A crash in between leaves both: the copy is then a duplicate, never a loss.
    """
    copy_to_dead_letter_queue(sqs, message, service, error)
    delete(sqs, message)


def copy_to_dead_letter_queue(sqs: "SQSClient", message: Message, service: str, error: BaseException) -> None:
    """The same without deleting anything.

    Attributes count towards the size of a message: a body near SQS's limit leaves room for fewer and shorter ones.
    """
    url = dead_letter_url(message.queue_url)
    for attributes in _choices(message, _reason(message, service, error, _time_of_sqs(sqs, url))):
        try:
            send(sqs, url, message.body, attributes)
        except TooLargeError:
            continue
        return
    raise TooLargeError


def _reason(message: Message, service: str, error: BaseException, now: float) -> dict[str, str]:
    return {
        "error_type": type(error).__name__,
        "error_message": str(error) or type(error).__name__,
        "service": service,
        "source_queue": message.queue_url.rpartition("/")[2],
        "attempts": str(message.attempts),
        "dead_since": str(round(now * 1_000)),
        "first_received": str(message.first_received),
        "trace_id": telemetry.trace_id(),
    }


def _choices(message: Message, reason: dict[str, str]) -> "Iterator[Attributes]":
    """Attributes of a dead letter, fewer and shorter each time: the reason is worth more than what the message had."""
    own = {name: value for name, value in own_attributes(message).items() if name not in reason}
    needed = texts({name: reason[name] for name in REASON})
    everything = {**needed, **own, **texts({name: reason[name] for name in MORE})}
    yield dict([*everything.items()][:MOST_ATTRIBUTES])
    yield needed
    yield texts({name: reason[name][:SHORT] for name in REASON})
    yield texts({"error_type": reason["error_type"]})
    yield {}


def _time_of_sqs(sqs: "SQSClient", url: str) -> float:
    """Epoch seconds by the clock of SQS, with which it stamps messages; a worker's may be wrong."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return (parsedate_to_datetime(date) if date else datetime.now(UTC)).timestamp()
