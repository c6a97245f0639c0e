"""Measures parts that may hang: in a background thread, one attempt at a time, unknown if there is no response."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
Value = TypeVar("Value", covariant=True)  # noqa: PLC0105 - frozen, hence covariant

MIN_INTERVAL_SECONDS = 1.0  # between two attempts, however many pages are open
INTERVAL_FACTOR = 10  # an attempt is followed by a pause of this many times its duration
SHORT_WAIT_SECONDS = 0.3  # to wait for a newer value while an older one may be shown
MAX_REASON_LENGTH = 300  # characters

log = structlog.get_logger()


@dataclass(frozen=True)
class Measured(Generic[Value]):
    """A value and the time of its measurement."""

    value: Value
    at: datetime


@dataclass(frozen=True)
class Unavailable:
    """The measurement failed; the reason is one line."""

    reason: str


class CachedProbe(Generic[T]):
    """The measurement of one part, shared by all pages.

    A value may be shown for `lasting` seconds while a newer one is measured; with 0 it is no older than `rest`.
    """

    def __init__(
        self, name: str, measure: Callable[[], T], rest: float = MIN_INTERVAL_SECONDS, lasting: float = 0
    ) -> None:
        self._name, self._measure, self._rest, self._lasting = name, measure, rest, lasting
        self._lock = Lock()
        self._attempt: Future[Measured[T] | Unavailable] | None = None
        self._next = 0.0  # monotonic time of the earliest next attempt
        self._last: Measured[T] | None = None
        self._reason = ""  # logged last

    def start(self) -> "Future[Measured[T] | Unavailable]":
        """Start an attempt unless one is running or has just ended."""
        with self._lock:
            if self._attempt is None or (self._attempt.done() and monotonic() >= self._next):
                self._attempt = Future()
                # A daemon thread, so that a hanging part does not keep the console from stopping.
                work = (self._try, self._attempt)
                Thread(target=copy_context().run, args=work, name=self._name, daemon=True).start()
            return self._attempt

    def read(self, deadline: float) -> Measured[T] | Unavailable:
        """The newest value available before `deadline` (monotonic)."""
        attempt, last = self.start(), self._last
        lasts = last is not None and (datetime.now(UTC) - last.at).total_seconds() < self._lasting
        patience = max(0.0, deadline - monotonic())
        try:
            return attempt.result(min(SHORT_WAIT_SECONDS, patience) if lasts else patience)
        except TimeoutError:
            return last if last is not None and lasts else Unavailable("no response in time")

    def _try(self, attempt: "Future[Measured[T] | Unavailable]") -> None:
        began, at = monotonic(), datetime.now(UTC)
        try:
            self._last = result = Measured(self._measure(), at)
        except Exception as error:  # noqa: BLE001 - the page shows the error of any part
            self._next = monotonic() + self._rest
            attempt.set_result(self._failed(error))
        else:
            took = monotonic() - began
            self._next = monotonic() + max(self._rest, INTERVAL_FACTOR * took)
            self._reason = ""
            attempt.set_result(result)

    def _failed(self, error: Exception) -> Unavailable:
        reason = reason_of(error)
        if reason != self._reason:
            log.warning("console.unmeasured", part=self._name, error_type=type(error).__name__, error=reason)
        self._reason = reason
        return Unavailable(reason)


def reason_of(error: Exception) -> str:
    """The error in one line; without the SQL statement that SQLAlchemy appends."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:MAX_REASON_LENGTH]
