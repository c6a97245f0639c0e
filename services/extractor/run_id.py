"""Which run a command asks for. Pure."""

from datetime import UTC, datetime
from hashlib import sha256

from shared.errors import PermanentError
from shared.formats.commands import RunCommand


def run_id(command: RunCommand, message_id: str, sent: int) -> str:
    """The id of the run a command asks for: the same command, delivered again, gives the same id.

    A command that names none (a schedule's) gets one from its slot and dataset, or else from its SQS message; `sent` is
    the message's time in epoch milliseconds, from SQS's clock.
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
    """The slot's moment in UTC. Raises PermanentError for what is no time."""
    try:
        moment = datetime.fromisoformat(slot)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        message = f"not a slot: {slot!r} (an ISO 8601 time)"
        raise PermanentError(message) from error
