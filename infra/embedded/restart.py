"""Requests restarts from the supervisor, of named parts or of all parts that are not running."""

import time
from pathlib import Path
from typing import Final

from infra.embedded import process, restarts, stack
from infra.embedded.errors import NotRunning, StackError
from infra.embedded.process import Process
from infra.embedded.stack import Part

TIMEOUT_SECONDS: Final = 90.0  # a part's patience when stopped, and the slowest known start
TICK: Final = 0.1


def matching(home: Path, name: str) -> list[str]:
    """The names of the parts that `name` stands for: a part, or all workers of a service. Raises StackError."""
    known = [part.name for part in stack.status(home)]
    names = [part for part in known if part == name or part.rpartition("-")[0] == name]
    if not names:
        message = f"no part {name!r}; known: {', '.join(known)}"
        raise StackError(message)
    return names


def restart(home: Path, names: list[str]) -> None:
    """Have parts stopped and started again, and wait until they run. Raises StackError, with the log of a failure."""
    home = home.resolve()
    supervisor = stack.supervisor_status(home)
    if supervisor is None or supervisor.state != "running":
        message = f"no stack is supervised in {home}: `smelt up` starts one, and mends one that has crashed"
        raise NotRunning(message)
    before = {name: process.find_recorded(home, name) for name in names}
    for name in names:
        restarts.request(home, name)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not all(_runs_anew(home, name, before[name]) for name in names):
        if time.monotonic() > deadline:
            message = f"not restarted within {TIMEOUT_SECONDS:.0f} s: see `smelt status`"
            raise StackError(message)
        time.sleep(TICK)


def mend(home: Path) -> list[str]:
    """Start the parts of a supervised stack that do not run; their names."""
    names = [part.name for part in stack.status(home) if part.state in Part.BROKEN]
    if names:
        restart(home, names)
    return names


def _runs_anew(home: Path, name: str, before: Process | None) -> bool:
    part = process.find_recorded(home, name)
    if restarts.is_requested(home, name) or part is None or part == before:
        return False
    if restarts.load(home, name).failures:
        message = f"{name} died while starting; {process.tail(part.log)}"
        raise StackError(message)
    return part.ready
