"""Messages with several records: each is handled separately, so that a bad one does not affect the others."""

from collections.abc import Callable
from dataclasses import replace

from celery.exceptions import SoftTimeLimitExceeded

from shared.engine.message import Message
from shared.errors import UnavailableError
from shared.formats.s3_events import single_events

Failure = tuple[Message, Exception]  # a message with one record, and its error
ENDS_MESSAGE = (SoftTimeLimitExceeded, UnavailableError)  # errors that would also fail the next record


class RecordsFailedError(Exception):
    """Some records of a message failed; the others succeeded."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(f"{len(failures)} records failed")
        self.failures = failures


def handle_each(handle: Callable[[Message], str], message: Message) -> str:
    """Handle each record; returns the outcomes. Raises RecordsFailedError if there are several and any failed."""
    bodies = single_events(message.body)
    if len(bodies) == 1:
        return handle(message)
    outcomes: set[str] = set()
    failures: list[Failure] = []
    for part in (replace(message, body=body) for body in bodies):
        if failures and isinstance(failures[-1][1], ENDS_MESSAGE):
            failures.append((part, failures[-1][1]))
            continue
        try:
            outcomes.add(handle(part))
        except Exception as error:  # noqa: BLE001 - the consumer decides on every failure
            failures.append((part, error))
    if failures:
        raise RecordsFailedError(failures)
    return ", ".join(sorted(outcomes))
