"""The foreground of a stack: restarts what dies and stops all in order at Ctrl-C, SIGTERM or a closed terminal."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from infra.embedded import process, stack
from infra.embedded.errors import AlreadyRunning, StackError
from infra.embedded.process import Command
from infra.embedded.stack import Running
from infra.embedded.state import claimed, exclusively

TICK: Final = 1.0  # seconds between two looks at the parts
PAUSE: Final = 3.0  # seconds before a dead part is started again, so that a broken one does not spin


@dataclass(frozen=True)
class Incident:
    """A part died and was started again, or could not be (`error`). After `queues_lost` run the audit."""

    part: str
    error: str = ""
    queues_lost: bool = False

    def __str__(self) -> str:
        return f"{self.part} died and " + (f"cannot be started: {self.error}" if self.error else "was started again")


def watch(running: Running, tick: float = TICK, pause: float = PAUSE) -> Iterator[Incident]:
    """Look after a started stack; yield what happened. Ends when another process stops or replaces the stack."""
    while claimed(running.home) == running.claim:
        dead = {part.name for part in process.all_recorded(running.home) if not part.alive}
        for command in running.commands:
            if command.name in dead:
                time.sleep(pause)
                yield from _restart(running, command)
        time.sleep(tick)


def supervise(running: Running, tell: Callable[[Incident], None]) -> list[str]:
    """Watch until a signal or another process ends it, then stop all. Returns the names of parts that were killed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        for incident in watch(running):
            tell(incident)
    except KeyboardInterrupt:
        return stack.stop(running.home)
    except BaseException:  # a failure of ours must not leave a stack that nobody looks after
        stack.stop(running.home)
        raise
    return []


def _restart(running: Running, command: Command) -> list[Incident]:
    try:
        with exclusively(running.home):
            if claimed(running.home) != running.claim:
                return []
            return [Incident(command.name, queues_lost=stack.restart_part(running, command))]
    except AlreadyRunning:
        return []  # another command has the stack in hand: look again
    except StackError as error:
        return [Incident(command.name, error=str(error))]
