"""Run ids, derived from the command so that a redelivered command gets the same id. No I/O."""

from datetime import UTC, datetime
from hashlib import sha256

from shared.errors import PermanentError
from shared.formats.commands import RunCommand


def run_id(command: RunCommand, message_id: str, sent: int) -> str:
    """The id of a command's run; the same command delivered again gets the same id.

    Without an explicit id it is derived from slot and dataset, or else from the SQS message. `sent` is the message's
    SentTimestamp, in epoch milliseconds by SQS's clock.
    """
    if command.run_id:
        return command.run_id
    if command.scheduled_for:
        return _id(
            slot_time(command.scheduled_for), f"{command.dataset}\n{command.trigger}\n{sorted(command.params.items())}"
        )
    return _id(datetime.fromtimestamp(sent / 1000, UTC), message_id)


def _id(moment: datetime, identity: str) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{sha256(identity.encode()).hexdigest()[:8]}"


def slot_time(slot: str) -> datetime:
    """The slot's time in UTC. Raises PermanentError for an invalid time."""
    try:
        moment = datetime.fromisoformat(slot)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        message = f"not a slot: {slot!r} (an ISO 8601 time)"
        raise PermanentError(message) from error
