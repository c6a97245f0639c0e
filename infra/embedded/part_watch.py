"""Supervision of one part: decides whether and when it is started again."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from infra.embedded import process, restarts
from infra.embedded.process import Command, Kind, Process

PROBE_INTERVAL: Final = 10.0  # seconds between two questions to a part whether it answers

# Seconds without an answer after which a part is replaced: it was stopped, or is caught in a loop. A worker's poll of
# an emulator that does not answer takes half a minute; recovery of PostgreSQL after a crash may take longer.
SILENCE_LIMITS: Final = {
    Kind.WORKER: 120.0,
    Kind.CONSOLE: 60.0,
    Kind.SERVING: 60.0,
    Kind.CACHE: 60.0,
    Kind.EMULATOR: 60.0,
    Kind.DATABASE: 300.0,
}
REQUESTED: Final = "was asked to restart"


class PartWatch:
    """Detects that a part died or stopped responding, and delays restarts with exponential back-off."""

    def __init__(self, home: Path, command: Command, first_delay: float, silence_limits: Mapping[Kind, float]) -> None:
        self.command = command
        self._home, self._first_delay, self._silence_limit = home, first_delay, silence_limits.get(command.kind)
        self._probe_interval = min(PROBE_INTERVAL, (self._silence_limit or PROBE_INTERVAL) / 2)
        self._is_waiting = False  # its failure is counted, and its next start has not come
        self.started()

    def started(self) -> None:
        """It was started just now, or the start failed."""
        self._is_waiting = False
        self._answered = time.monotonic()  # a clock that stands still while the machine sleeps
        self._probed, self._touched = 0.0, 0.0

    def reason_to_start(self) -> str:
        """Why it must be started now; empty if it need not, or not yet."""
        if restarts.is_requested(self._home, self.command.name):
            restarts.forget(self._home, self.command.name)
            return REQUESTED
        if failure := self._failure():
            return failure if self._is_due() else ""
        self._is_waiting = False
        return ""

    def _failure(self) -> str:
        part = process.find_recorded(self._home, self.command.name)
        if part is None or not part.alive:
            return "died"
        if self._silence_limit and self._silence(part) > self._silence_limit:
            return f"did not answer for {self._silence_limit:.0f} s"
        return ""

    def _is_due(self) -> bool:
        history = restarts.load(self._home, self.command.name)
        if not self._is_waiting:
            self._is_waiting = True
            history = history.after_failure(time.time(), self._first_delay)
            restarts.save(self._home, self.command.name, history)
        return time.time() >= history.next_start

    def _silence(self, part: Process) -> float:
        """Seconds since it last answered; asks at intervals."""
        if time.monotonic() - self._probed > self._probe_interval:
            self._probed = time.monotonic()
            if self._answers(part):
                self._answered = time.monotonic()
        return time.monotonic() - self._answered

    def _answers(self, part: Process) -> bool:
        if part.liveness is None:
            return self.command.ready is None or self.command.ready()
        before, self._touched = self._touched, part.liveness.stat().st_mtime if part.liveness.exists() else 0.0
        return self._touched != before
