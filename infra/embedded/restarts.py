"""Recent failures of a part, the time of its next start, and requests to restart it.

Both are files in `home/run`: the supervisor, `smelt status` and `smelt restart` are different processes.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from infra.embedded.process import write_privately

WINDOW_SECONDS: Final = 600.0  # how long a failure counts
MAX_DELAY_SECONDS: Final = 60.0
CRASH_LOOP_FAILURES: Final = 5  # within the window


@dataclass(frozen=True)
class Restarts:
    """The failures of one part within the window and its next start, in epoch seconds."""

    failures: tuple[float, ...] = ()
    next_start: float = 0.0

    @property
    def is_crash_loop(self) -> bool:
        """Whether starting it again does not mend it."""
        return len(self.failures) >= CRASH_LOOP_FAILURES

    def within_window(self, now: float) -> tuple[float, ...]:
        """The failures that still count."""
        return tuple(moment for moment in self.failures if moment > now - WINDOW_SECONDS)

    def after_failure(self, now: float, first_delay: float) -> "Restarts":
        """One more: the delay doubles with each that is still within the window."""
        failures = (*self.within_window(now), now)
        return Restarts(failures, now + min(MAX_DELAY_SECONDS, first_delay * 2 ** (len(failures) - 1)))


def load(home: Path, name: str) -> Restarts:
    """What is known of a part."""
    try:
        written = json.loads(_file(home, name).read_text())
    except FileNotFoundError:
        return Restarts()
    return Restarts(tuple(written["failures"]), written["next_start"])


def save(home: Path, name: str, restarts: Restarts) -> None:
    """Write it down for other processes."""
    write_privately(_file(home, name), json.dumps(asdict(restarts)))


def forget(home: Path, name: str) -> None:
    """Begin anew, without failures and without a request."""
    _file(home, name).unlink(missing_ok=True)
    _request(home, name).unlink(missing_ok=True)


def request(home: Path, name: str) -> None:
    """Ask the supervisor to stop a part, if it runs, and to start it now."""
    _request(home, name).touch(mode=0o600)


def is_requested(home: Path, name: str) -> bool:
    """Whether somebody asked, and it is not done."""
    return _request(home, name).exists()


def _file(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.restarts.json"


def _request(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.restart"
