"""Child processes that outlive whoever started them: each is known by a record in `home/run/<name>.json`.

A record names a process by its pid *and* its birth, so that a reused pid is never signalled. Any later process can
therefore stop a stack, and the next start can clean up after one that crashed.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from infra.embedded.errors import StackError
from infra.embedded.identity import birth_of
from infra.embedded.ports import accepts

LOG_LIMIT: Final = 10_000_000  # bytes; one older log is kept, so a part holds about twice this
START_LIMIT: Final = 30.0  # seconds; recovery of PostgreSQL after a crash is the slowest known start
LINES: Final = 8  # of a log that a person is shown
TICK: Final = 0.03  # seconds between two looks at a process


class Kind(StrEnum):
    """What a part is; the order is the order in which parts start."""

    DATABASE = "database"
    CACHE = "cache"
    EMULATOR = "emulator"
    SIMULATOR = "simulator"
    WORKER = "worker"
    CONSOLE = "console"
    SERVING = "serving"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Account:
    """The user and group that a process runs as."""

    user: int
    group: int


@dataclass(frozen=True)
class Command:
    """How one part is run. `environment` is all that it gets; it runs in `folder`."""

    name: str
    kind: Kind
    arguments: Sequence[str]
    environment: dict[str, str]
    folder: Path
    port: int | None = None
    liveness: Path | None = None  # a file that the part touches while it works
    stop_signal: int = signal.SIGTERM
    patience: float = 20.0  # seconds between the stop signal and SIGKILL
    account: Account | None = None
    ready: Callable[[], bool] | None = None  # beyond an open port and a touched file
    start_again_on: str = ""  # a log line of a failure that passes by itself


@dataclass(frozen=True)
class Process:
    """A started part, as recorded."""

    name: str
    kind: Kind
    pid: int
    birth: str
    log: Path
    port: int | None = None
    liveness: Path | None = None
    stop_signal: int = signal.SIGTERM
    patience: float = 20.0

    @property
    def alive(self) -> bool:
        """Whether this very process still runs; one that died as our child is reaped."""
        lives = birth_of(self.pid) == self.birth
        if not lives:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, os.WNOHANG)  # PostgreSQL takes a zombie that holds its lock for a living server
        return lives

    @property
    def ready(self) -> bool:
        """Whether its port is open and its liveness file touched (which it was since this start)."""
        return (self.port is None or accepts(self.port)) and (self.liveness is None or self.liveness.exists())


def start(command: Command, home: Path) -> Process:
    """Start a part in a session of its own (Ctrl-C reaches only the supervisor) and record it."""
    log = home / "logs" / f"{command.name}.log"
    _rotate(log)
    if command.liveness:
        command.liveness.unlink(missing_ok=True)
    child = _spawn(command, log)
    child.returncode = 0  # from here on it is known by its record: Popen must neither wait for it nor warn about it
    process = Process(
        name=command.name,
        kind=command.kind,
        pid=child.pid,
        birth=birth_of(child.pid) or "never seen alive",
        log=log,
        port=command.port,
        liveness=command.liveness,
        stop_signal=command.stop_signal,
        patience=command.patience,
    )
    write_privately(_record(home, process.name), json.dumps(asdict(process), default=str))
    return process


def await_ready(command: Command, home: Path) -> Process:
    """Wait until a started part works. Raises StackError with the end of its log when it dies or takes too long."""
    process = recorded(home, command.name)
    deadline = time.monotonic() + START_LIMIT
    while not (process.ready and (command.ready is None or command.ready())):
        if time.monotonic() > deadline:
            message = f"{command.name} was not ready within {START_LIMIT:.0f} s; {tail(process.log)}"
            raise StackError(message)
        if not process.alive:
            if not command.start_again_on or command.start_again_on not in tail(process.log):
                message = f"{command.name} died while starting; {tail(process.log)}"
                raise StackError(message)
            time.sleep(TICK * 5)
            process = start(command, home)
        time.sleep(TICK)
    return process


def recorded(home: Path, name: str) -> Process:
    """The process of a recorded part."""
    part = find_recorded(home, name)
    if part is None:
        message = f"{name} was stopped by another command"
        raise StackError(message)
    return part


def find_recorded(home: Path, name: str) -> Process | None:
    """The same; None for a part that was never started, or was stopped."""
    try:
        held = json.loads(_record(home, name).read_text())
    except FileNotFoundError:
        return None
    paths = {"log": Path(held["log"]), "liveness": Path(held["liveness"]) if held["liveness"] else None}
    return Process(**held | paths | {"kind": Kind(held["kind"])})


def all_recorded(home: Path) -> list[Process]:
    """Every part that was started and not stopped, alive or not, in the order of start."""
    names = [path.name.removesuffix(".part.json") for path in (home / "run").glob("*.part.json")]
    parts = [part for part in (find_recorded(home, name) for name in names) if part]
    return sorted(parts, key=lambda part: ([*Kind].index(part.kind), part.name))


def stop(processes: Sequence[Process], home: Path) -> list[str]:
    """Stop parts at the same time and forget them. Returns the names of those that only SIGKILL could stop."""
    signalled = [process for process in processes if _signal(process, process.stop_signal)]
    started = time.monotonic()
    killed = []
    for process in signalled:
        if not _await_death(process, started + process.patience):
            killed.append(process.name)
            _signal(process, signal.SIGKILL)
            _await_death(process, time.monotonic() + 5)
    for process in processes:
        _kill_orphans(process)
        forget(home, process.name)
    return killed


def forget(home: Path, name: str) -> None:
    """Remove the record of a part that is stopped, or stops itself."""
    _record(home, name).unlink(missing_ok=True)


def tail(log: Path) -> str:
    """The path of a log and its last lines."""
    text = log.read_bytes()[-4_000:].decode(errors="replace") if log.exists() else ""
    return "\n  ".join([f"the end of {log}:", *text.splitlines()[-LINES:]])


def write_privately(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only."""
    draft = path.with_name(f"{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def _spawn(command: Command, log: Path) -> subprocess.Popen[bytes]:
    account = command.account
    log.touch(mode=0o600)
    log.chmod(0o600)  # also one of an earlier version
    with log.open("ab") as output:
        try:
            return subprocess.Popen(
                command.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=command.folder,
                env=command.environment,
                start_new_session=True,
                user=account.user if account else None,
                group=account.group if account else None,
                extra_groups=[] if account else None,
            )
        except OSError as error:
            message = f"{command.name} cannot be run: {error}"
            raise StackError(message) from error


def _signal(process: Process, number: int) -> bool:
    if not process.alive:
        return False
    if number == signal.SIGKILL:
        os.killpg(process.pid, number)  # its own children too: it leads a session of its own
    else:
        os.kill(process.pid, number)
    return True


def _kill_orphans(process: Process) -> None:
    """End the children of a part that died without ending them."""
    if birth_of(process.pid) is None:  # so its group is what it left behind, not one of a later process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _await_death(process: Process, deadline: float) -> bool:
    while process.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(TICK)
    return True


def _record(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.part.json"


def _rotate(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
