"""Starting and stopping the whole stack of one home. Everything listens on 127.0.0.1 only."""

import importlib
import os
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import ClassVar, Final

from infra.embedded import applications, aws, ports, postgres, postgres_paths, process, restarts, schedules, valkey
from infra.embedded.errors import AlreadyRunning, NotRunning, StackError
from infra.embedded.options import Options
from infra.embedded.process import Command, Kind, Process
from infra.embedded.restarts import Restarts
from infra.embedded.state import Claim, Secrets, State, claim, claimed, exclusively, give_up, load, save

STOP_ORDER: Final = (
    Kind.SUPERVISOR,
    Kind.WORKER,
    Kind.CONSOLE,
    Kind.SERVING,
    Kind.SIMULATOR,
    Kind.EMULATOR,
    Kind.CACHE,
    Kind.DATABASE,
)
PATIENCE: Final = 90.0  # seconds that a stop waits for a start that is under way


@dataclass(frozen=True)
class Part:
    """One part as an operator sees it: `state` is running, starting, stopped, dead or crash loop."""

    name: str
    kind: str
    state: str
    pid: int | None
    port: int | None
    detail: str

    BROKEN: ClassVar = frozenset({"dead", "crash loop", "stopped"})  # states of a part that should run


@dataclass(frozen=True)
class Running:
    """A started stack. With `may_lack_events` the emulator was killed: S3 may not have sent an event yet."""

    home: Path
    commands: tuple[Command, ...]
    claim: Claim
    environment: dict[str, str]
    may_lack_events: bool
    notes: tuple[str, ...]  # what the operator should know, one line each


def start(home: Path, options: Options | None = None, *, detached: bool = False) -> Running:
    """Start everything and wait until it works; a crashed earlier run is stopped first.

    The caller supervises it, unless it is detached: then a process of its own does. Raises AlreadyRunning, or
    StackError when a part cannot start: then nothing of it is left running.
    """
    home = home.resolve()
    _make_folders(home)
    with exclusively(home):
        _refuse_when_running(home)
        notes = _clean_up(home)
        state = _remembered(home)
        if not state.postgres_folder.is_relative_to(home):
            notes.append(f"PostgreSQL's user cannot reach {home}: its data is in {state.postgres_folder}")
        try:
            running = _bring_up(home, replace(state, options=options or Options()), claim(home, os.getpid()))
            supervisor = claim(home, _start_supervisor(home)) if detached else running.claim
        except BaseException:
            _stop_all(home)
            raise
    return replace(running, claim=supervisor, notes=tuple(notes))


def attach(home: Path) -> Running:
    """The running stack, for its supervisor in another process: what `start` gave, once that has ended."""
    home = home.resolve()
    with exclusively(home, PATIENCE):
        state, supervisor = load(home), claimed(home)
    if state is None or supervisor is None:
        message = f"no stack is running in {home}"
        raise NotRunning(message)
    commands = (*_infrastructure(home, state), *applications.commands(home, state, state.options))
    return Running(home, commands, supervisor, state.environment, may_lack_events=False, notes=())


def stop(home: Path) -> list[str]:
    """Stop everything, workers first, from any process. Returns the names of parts that only SIGKILL could stop."""
    home = home.resolve()
    if not (home / "run").exists():
        return []
    with exclusively(home, PATIENCE):
        return _stop_all(home)


def erase(home: Path) -> None:
    """Stop everything and delete all that it held, also outside of home."""
    stop(home)
    state = load(home.resolve())
    if state:
        shutil.rmtree(state.postgres_folder)
        shutil.rmtree(home)


def status(home: Path) -> list[Part]:
    """Every part of the latest start, in the order of start; empty where none ever was."""
    home = home.resolve()
    state = load(home)
    started = {part.name: part for part in process.all_recorded(home)}
    return [_part(home, name, kind, port, started.get(name)) for name, kind, port in (state.parts if state else [])]


def environment(home: Path) -> dict[str, str]:
    """The variables that connect a process to the running stack. Raises NotRunning when there is none."""
    home = home.resolve()
    state = load(home)
    if state is None or not _is_running(home):
        message = f"no stack is running in {home}: start one with `smelt up`"
        raise NotRunning(message)
    return state.environment


def remember_schedules(home: Path) -> None:
    """Keep the schedules of the running stack, if one runs here, through a crash of its emulator."""
    home = home.resolve()
    state = load(home)
    if state is not None and _is_running(home):
        schedules.remember(home / "aws", state.ports["aws"], state.secrets.emulator)


def supervisor_status(home: Path) -> Part | None:
    """The process that starts parts again; None where no stack was started, or it was stopped."""
    holder = claimed(home.resolve())
    if holder is None:
        return None
    state, detail = ("running", "") if holder.holds else ("dead", "nothing is started again: `smelt up` mends it")
    return Part("supervisor", "supervisor", state, holder.pid, None, detail)


def restart_part(running: Running, command: Command) -> bool:
    """Start a part again, after stopping what is left of it. True when the emulator may lack events.

    Raises StackError as `start` does.
    """
    part = process.find_recorded(running.home, command.name)
    process.stop([part] if part else [], running.home)
    if command.kind is Kind.DATABASE and (state := load(running.home)):
        postgres.prepare(applications.database_server(state))
    process.start(command, running.home)
    if command.kind not in {Kind.DATABASE, Kind.CACHE, Kind.EMULATOR}:
        return False
    process.await_ready(command, running.home)
    return command.kind is Kind.EMULATOR and _make_resources(running.home)


def _make_folders(home: Path) -> None:
    shared = postgres_paths.account() is not None  # another user must pass home to reach the data of PostgreSQL
    try:
        home.mkdir(mode=0o711 if shared else 0o700, parents=True, exist_ok=True)
        for name in ("run", "logs"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        message = f"the stack cannot keep its state in {home}: {error.strerror}; choose another SMELT_HOME"
        raise StackError(message) from error


def _is_running(home: Path) -> bool:
    held = claimed(home)
    return held is not None and held.holds and any(part.alive for part in process.all_recorded(home))


def _refuse_when_running(home: Path) -> None:
    if _is_running(home):
        message = f"a stack is already running in {home}: see `smelt status`, stop it with `smelt down`"
        raise AlreadyRunning(message)


def _clean_up(home: Path) -> list[str]:
    left = [part.name for part in process.all_recorded(home) if part.alive]
    _stop_all(home)
    return [f"stopped what a crashed earlier run left behind: {', '.join(left)}"] if left else []


def _stop_all(home: Path) -> list[str]:
    give_up(home)
    killed = []
    for kind in STOP_ORDER:
        parts = [part for part in process.all_recorded(home) if part.kind is kind]
        killed += process.stop([part for part in parts if part.pid != os.getpid()], home)
        for part in parts:
            process.forget(home, part.name)
            restarts.forget(home, part.name)
    return killed


def _remembered(home: Path) -> State:
    state = load(home) or State(secrets=Secrets(), postgres_folder=postgres_paths.place(home))
    save(home, state)  # before anything uses its passwords
    return replace(state, ports=ports.choose(state.ports))


def _start_supervisor(home: Path) -> int:
    arguments = [sys.executable, "-m", "infra.embedded.cli.detached", str(home)]
    return process.start(
        Command("supervisor", Kind.SUPERVISOR, arguments, dict(os.environ), applications.ROOT), home
    ).pid


def _infrastructure(home: Path, state: State) -> list[Command]:
    return [
        postgres.command(applications.database_server(state)),
        valkey.command(home / "valkey", state.ports["valkey"], state.secrets.cache),
        aws.command(home / "aws", state.ports["aws"], state.secrets.emulator),
    ]


def _bring_up(home: Path, state: State, held: Claim) -> Running:
    options = state.options
    state = replace(state, environment=applications.environment(home, state, options))
    server = applications.database_server(state)
    postgres.prepare(server)
    infrastructure = _infrastructure(home, state)
    application = applications.commands(home, state, options)
    commands = (*infrastructure, *application)
    save(home, replace(state, parts=[(one.name, one.kind, one.port) for one in commands]))
    _launch(home, infrastructure)
    postgres.ensure_database(server)
    may_lack_events = _make_resources(home)
    if options.migrate:
        _migrate(server.url)
    _launch(home, application)
    return Running(home, commands, held, state.environment, may_lack_events, ())


def _launch(home: Path, commands: list[Command]) -> None:
    for command in commands:
        process.start(command, home)
    for command in commands:
        process.await_ready(command, home)


def _make_resources(home: Path) -> bool:
    state = load(home)
    if state is None:
        message = f"{home / 'stack.json'} is gone: stop the stack and start again"
        raise StackError(message)
    aws.take_saved_queues(home / "aws")
    missing = aws.ensure_resources(state.ports["aws"], state.secrets.emulator)
    schedules.restore(home / "aws", state.ports["aws"], state.secrets.emulator)
    save(home, replace(state, queues_made=True))
    return missing and state.queues_made


def _migrate(database_url: str) -> None:
    importlib.import_module("shared.database.upgrade").upgrade(database_url)


def _part(home: Path, name: str, kind: str, port: int | None, started: Process | None) -> Part:
    history = restarts.load(home, name)
    if started is None:
        return Part(name, kind, "stopped", None, port, "")
    if not started.alive:
        state = "crash loop" if history.is_crash_loop else "dead"
        return Part(name, kind, state, started.pid, port, _describe(history, f"see {started.log}"))
    if not started.ready:
        return Part(name, kind, "starting", started.pid, port, _describe(history, f"see {started.log}"))
    polled = f"last poll {time() - started.liveness.stat().st_mtime:.0f} s ago" if started.liveness else ""
    return Part(name, kind, "running", started.pid, port, _describe(history, polled))


def _describe(history: Restarts, detail: str) -> str:
    """The detail, and how often the part failed within the last ten minutes."""
    recent = history.within_window(time())
    failures = f"failures in ten minutes: {len(recent)}, last {time() - recent[-1]:.0f} s ago" if recent else ""
    return "; ".join(filter(None, [failures, detail]))
