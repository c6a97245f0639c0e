"""Looks after a started stack: starts again what dies or no longer answers, and stops all in order at a signal.

The same for `smelt up` and `smelt up --detach`; for the latter it is a process of its own (`cli/detached.py`).
"""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from infra.embedded import restarts, stack
from infra.embedded.errors import AlreadyRunning, StackError
from infra.embedded.part_watch import SILENCE_LIMITS, PartWatch
from infra.embedded.process import Command, Kind
from infra.embedded.stack import Running
from infra.embedded.state import claimed, exclusively

TICK: Final = 1.0  # seconds between two looks at the parts
FIRST_DELAY: Final = 1.0  # seconds before a part that died is started again; doubled with each further one


@dataclass(frozen=True)
class Incident:
    """A part was started again because of `reason`, or could not be (`error`). After `may_lack_events` reconcile."""

    part: str
    reason: str = "died"
    error: str = ""
    may_lack_events: bool = False

    def __str__(self) -> str:
        done = f"cannot be started: {self.error}" if self.error else "was started again"
        return f"{self.part} {self.reason} and {done}"


def watch(
    running: Running,
    tick: float = TICK,
    first_delay: float = FIRST_DELAY,
    silence_limits: Mapping[Kind, float] = SILENCE_LIMITS,
) -> Iterator[Incident]:
    """Look after a started stack; yield what happened. Ends when another process stops or replaces the stack."""
    parts = [PartWatch(running.home, command, first_delay, silence_limits) for command in running.commands]
    while claimed(running.home) == running.claim:
        for part in parts:
            if reason := part.reason_to_start():
                yield from _start_again(running, part.command, reason)
                part.started()
        time.sleep(tick)


def supervise(running: Running, tell: Callable[[Incident], None]) -> list[str]:
    """Watch until a signal or another process ends it, then stop all. Returns the names of parts that were killed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        for incident in watch(running):
            tell(incident)
    except KeyboardInterrupt:
        return stack.stop(running.home) if claimed(running.home) == running.claim else []
    except BaseException:  # a failure of ours must not leave a stack that nobody looks after
        stack.stop(running.home)
        raise
    return []


def _start_again(running: Running, command: Command, reason: str) -> list[Incident]:
    history = restarts.load(running.home, command.name)
    if history.is_crash_loop:
        reason += f", {len(history.failures)} times in ten minutes (a crash loop),"
    try:
        with exclusively(running.home):
            if claimed(running.home) != running.claim:
                return []
            return [Incident(command.name, reason, may_lack_events=stack.restart_part(running, command))]
    except AlreadyRunning:
        return []  # another command has the stack in hand: look again
    except StackError as error:
        return [Incident(command.name, reason, error=str(error))]
