"""The kinds of failure a handler may raise. What they lead to is decided in `shared.engine.retry`."""

from typing import Literal

Part = Literal["bucket", "queue", "database"]  # what a worker cannot work without


class PermanentError(Exception):
    """Trying again cannot help: bad input, a missing object, a refused batch. Goes to the dead-letter queue."""


class TransientError(Exception):
    """Trying again may help. `after` is how long the other side asked us to wait, in seconds.

    A wait that was asked for is no failure of the message and does not count as an attempt.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class NewerVersionError(TransientError):
    """Made by a newer version of smelt, and left to a worker of that version: an upgrade is under way."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} of a newer version of smelt: it waits for a worker of that version", after=300.0)


class UnavailableError(TransientError):
    """A part that the worker needs is away. Says nothing of the message, and does not count as an attempt."""

    def __init__(self, message: str, part: Part) -> None:
        super().__init__(message)
        self.part = part
