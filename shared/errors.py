"""Errors that a handler may raise. `shared.engine.retry` decides what follows."""

from typing import Literal

Part = Literal["bucket", "queue", "database"]  # parts that a worker depends on


class PermanentError(Exception):
    """A retry cannot succeed: invalid input, missing object, rejected batch. Goes to the dead-letter queue."""


class TransientError(Exception):
    """A retry may succeed. `after` is the wait that the other side asked for, in seconds.

    A requested wait does not count as an attempt.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class NewerVersionError(TransientError):
    """Written by a newer version of smelt; left for a worker of that version during an upgrade."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} of a newer version of smelt; waiting for a worker of that version", after=300.0)


class UnavailableError(TransientError):
    """A part that the worker depends on is unavailable. Does not count as an attempt."""

    def __init__(self, message: str, part: Part) -> None:
        super().__init__(message)
        self.part = part
