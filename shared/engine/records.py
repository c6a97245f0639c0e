"""Messages of several records: each record is handled by itself, so that a bad one costs only itself."""

from collections.abc import Callable
from dataclasses import replace

from celery.exceptions import SoftTimeLimitExceeded

from shared.engine.message import Message
from shared.errors import UnavailableError
from shared.formats.s3_events import single_events

Failure = tuple[Message, Exception]  # a message of one record, and why it failed
ENDS_ALL = (SoftTimeLimitExceeded, UnavailableError)  # what would meet the next record as well


class SomeFailedError(Exception):
    """Some records of a message failed; the others are done."""

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(f"{len(failures)} records failed")
        self.failures = failures


def handle_each(handle: Callable[[Message], str], message: Message) -> str:
    """The outcomes of all records of the message. Raises SomeFailedError where there are several and one failed."""
    bodies = single_events(message.body)
    if len(bodies) == 1:
        return handle(message)
    outcomes: set[str] = set()
    failures: list[Failure] = []
    for part in (replace(message, body=body) for body in bodies):
        if failures and isinstance(failures[-1][1], ENDS_ALL):
            failures.append((part, failures[-1][1]))
            continue
        try:
            outcomes.add(handle(part))
        except Exception as error:  # noqa: BLE001 - decided on where every failure is
            failures.append((part, error))
    if failures:
        raise SomeFailedError(failures)
    return ", ".join(sorted(outcomes))
