"""Moving messages to the dead-letter queue, with the reason as message attributes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from shared import telemetry
from shared.engine.message import (
    MAX_ATTRIBUTES,
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

# Attributes of a reason. The optional ones are dropped first if the message's own attributes need the room.
REQUIRED_REASON = ("error_type", "error_message", "service", "source_queue", "attempts", "dead_since")
OPTIONAL_REASON = ("first_received", "trace_id")
SHORT_MESSAGE_LENGTH = 200  # characters of the error message if the full one does not fit


def move_to_dead_letter_queue(sqs: "SQSClient", message: Message, service: str, error: BaseException) -> None:
    """Copy the message to the dead-letter queue with the reason, then delete it.

    A crash in between leaves both: a duplicate, not a loss.
    """
    copy_to_dead_letter_queue(sqs, message, service, error)
    delete(sqs, message)


def copy_to_dead_letter_queue(sqs: "SQSClient", message: Message, service: str, error: BaseException) -> None:
    """Copy the message to the dead-letter queue with the reason.

    Attributes count towards SQS's size limit, so a large body leaves room for fewer and shorter ones.
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
    """Attributes of a dead letter, in decreasing size.

    The reason takes precedence over the message's own attributes.
    """
    own = {name: value for name, value in own_attributes(message).items() if name not in reason}
    needed = texts({name: reason[name] for name in REQUIRED_REASON})
    everything = {**needed, **own, **texts({name: reason[name] for name in OPTIONAL_REASON})}
    yield dict([*everything.items()][:MAX_ATTRIBUTES])
    yield needed
    yield texts({name: reason[name][:SHORT_MESSAGE_LENGTH] for name in REQUIRED_REASON})
    yield texts({"error_type": reason["error_type"]})
    yield {}


def _time_of_sqs(sqs: "SQSClient", url: str) -> float:
    """Epoch seconds by SQS's clock, which also timestamps messages; a worker's clock may be wrong."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return (parsedate_to_datetime(date) if date else datetime.now(UTC)).timestamp()
