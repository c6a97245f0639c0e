"""The processes of the embedded stack: how they start, who looks after them, what is left behind."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import process, restarts, stack
from infra.embedded.errors import AlreadyRunning, NotRunning, StackError
from infra.embedded.identity import birth_of
from infra.embedded.part_watch import PartWatch
from infra.embedded.process import Command, Kind, Process
from infra.embedded.restart import matching, mend, restart
from infra.embedded.stack import Running
from infra.embedded.state import exclusively
from infra.embedded.supervisor import watch
from tests.integration.embedded import INFRASTRUCTURE, keys_on_the_bronze_queue, put, stack_pids

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("newcomer")]

REPOSITORY = Path(stack.__file__).parents[2]


@pytest.fixture
def detached(home: Path) -> Iterator[Path]:
    """A stack of nothing but backends that a process of its own supervises."""
    stack.start(home, INFRASTRUCTURE, detached=True)
    yield home.resolve()
    stack.stop(home)


def test_a_stack_whose_supervisor_was_killed_is_stopped_by_the_next_start(home: Path) -> None:
    program = f"""
import time, pathlib
from infra.embedded import stack
from tests.integration.embedded import INFRASTRUCTURE
stack.start(pathlib.Path({str(home)!r}), INFRASTRUCTURE)
print("up", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout
        assert supervisor.stdout.readline() == b"up\n"
        orphans = process.all_recorded(home)
        supervisor.kill()
    assert [part.state for part in stack.status(home)] == ["running"] * 3
    running = stack.start(home, INFRASTRUCTURE)
    assert running.notes[0] == "stopped what a crashed earlier run left behind: postgres, valkey, aws"
    assert not any(birth_of(orphan.pid) == orphan.birth for orphan in orphans)
    assert not running.may_lack_events
    stack.stop(home)


def test_a_detached_stack_outlives_its_starter_and_is_stopped_from_elsewhere(home: Path) -> None:
    program = f"""
import pathlib
from infra.embedded import stack
from tests.integration.embedded import INFRASTRUCTURE
stack.start(pathlib.Path({str(home)!r}), INFRASTRUCTURE, detached=True)
"""
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
    assert stack.environment(home)["SMELT_BUCKET"] == "smelt-local"
    with pytest.raises(AlreadyRunning):
        stack.start(home, INFRASTRUCTURE)
    parts = stack.status(home)
    assert stack.stop(home) == []
    assert not any(birth_of(part.pid) for part in parts if part.pid)


def test_starting_twice_says_that_it_runs_already(running: Running) -> None:
    with pytest.raises(AlreadyRunning, match="already running"):
        stack.start(running.home, INFRASTRUCTURE)
    assert [part.state for part in stack.status(running.home)] == ["running"] * 3


def test_two_commands_do_not_start_or_stop_the_same_stack_at_once(home: Path) -> None:
    stack.stop(home)
    with exclusively(home), pytest.raises(AlreadyRunning, match="another command"):
        stack.start(home, INFRASTRUCTURE)


def test_an_occupied_fixed_port_is_one_line_that_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        port = occupant.getsockname()[1]
        monkeypatch.setenv("SMELT_VALKEY_PORT", str(port))
        with pytest.raises(StackError) as refused:
            stack.start(home, INFRASTRUCTURE)
    expected = f"port {port} of valkey is in use: stop what uses it or change SMELT_VALKEY_PORT"
    assert str(refused.value) == expected


def test_a_port_taken_since_the_last_run_is_replaced_and_the_queues_still_work(home: Path) -> None:
    first = stack.start(home, INFRASTRUCTURE)
    keys_on_the_bronze_queue(first)
    put(first, "bronze/before-the-move.json")
    stack.stop(home)
    with socket.create_server(("127.0.0.1", int(first.environment["AWS_ENDPOINT_URL"].rpartition(":")[2]))):
        second = stack.start(home, INFRASTRUCTURE)
        assert second.environment["AWS_ENDPOINT_URL"] != first.environment["AWS_ENDPOINT_URL"]
        put(second, "bronze/after-the-move.json")
        found = keys_on_the_bronze_queue(second)
        stack.stop(home)
    assert found == {"bronze/before-the-move.json", "bronze/after-the-move.json"}


def test_a_part_that_dies_at_start_shows_its_log_and_leaves_nothing_running(home: Path) -> None:
    stack.stop(home)
    files = home / "valkey" / "appendonlydir"
    files.rename(files.with_name("aside"))
    files.write_text("not a folder")
    try:
        with pytest.raises(StackError, match=r"valkey died while starting; the end of .*valkey\.log:\n") as refused:
            stack.start(home, INFRASTRUCTURE)
        assert "appendonlydir" in str(refused.value)
        assert {part.state for part in stack.status(home)} == {"stopped"}
        assert process.all_recorded(home) == []
    finally:
        files.unlink()
        files.with_name("aside").rename(files)


def test_a_stopped_stack_has_no_process_and_no_environment(home: Path) -> None:
    stack.start(home, INFRASTRUCTURE)
    pids = stack_pids(home)
    assert stack.stop(home) == []
    assert not any(birth_of(pid) for pid in pids)
    assert {part.state for part in stack.status(home)} == {"stopped"}
    with pytest.raises(NotRunning, match="smelt up"):
        stack.environment(home)


def test_the_supervisor_starts_a_killed_emulator_again_and_says_that_events_may_be_lost(running: Running) -> None:
    emulator = process.recorded(running.home, "aws")
    os.kill(emulator.pid, signal.SIGKILL)
    incident = next(watch(running, tick=0.01, first_delay=0))
    assert str(incident) == "aws died and was started again"
    assert incident.may_lack_events
    put(running, "bronze/after-the-restart.json")
    assert keys_on_the_bronze_queue(running) == {"bronze/after-the-restart.json"}


def test_a_part_that_no_longer_answers_is_replaced(running: Running) -> None:
    cache = process.recorded(running.home, "valkey")
    os.kill(cache.pid, signal.SIGSTOP)
    incident = next(watch(running, tick=0.01, first_delay=0, silence_limits={Kind.CACHE: 0.2}))
    assert str(incident) == "valkey did not answer for 0 s and was started again"
    assert not cache.alive
    assert process.recorded(running.home, "valkey").ready


def test_a_part_that_dies_again_and_again_is_called_a_crash_loop(running: Running) -> None:
    files = running.home / "valkey" / "appendonlydir"
    os.kill(process.recorded(running.home, "valkey").pid, signal.SIGKILL)
    files.rename(files.with_name("aside"))
    files.write_text("not a folder")
    try:
        incidents = list(itertools.islice(watch(running, tick=0.01, first_delay=0), restarts.CRASH_LOOP_FAILURES))
        states = {part.name: part for part in stack.status(running.home)}
    finally:
        files.unlink()
        files.with_name("aside").rename(files)
    assert str(incidents[0]).startswith("valkey died and cannot be started: valkey died while starting")
    assert "valkey died, 5 times in ten minutes (a crash loop), and cannot be started" in str(incidents[-1])
    assert states["valkey"].state == "crash loop"
    assert states["valkey"].detail.startswith("failures in ten minutes: 5, last ")
    assert states["postgres"].state == "running"


def test_a_detached_stack_starts_what_was_killed_again(detached: Path) -> None:
    killed = {name: process.recorded(detached, name) for name in ("postgres", "valkey", "aws")}
    for part in killed.values():
        os.kill(part.pid, signal.SIGKILL)
    for name, before in killed.items():
        await_new_process(detached, name, before)
    assert "part.restarted" in (detached / "logs" / "supervisor.log").read_text()


def test_a_part_is_restarted_on_request(detached: Path) -> None:
    before = process.recorded(detached, "valkey")
    restart(detached, matching(detached, "valkey"))
    after = process.recorded(detached, "valkey")
    assert after.pid != before.pid
    assert after.ready
    assert not before.alive


def test_a_restart_of_a_part_that_cannot_start_shows_its_log(detached: Path) -> None:
    files = detached / "valkey" / "appendonlydir"
    files.rename(files.with_name("aside"))
    files.write_text("not a folder")
    try:
        with pytest.raises(StackError, match=r"valkey died while starting; the end of .*valkey\.log:\n"):
            restart(detached, ["valkey"])
    finally:
        files.unlink()
        files.with_name("aside").rename(files)
    assert mend(detached) in (["valkey"], [])  # unless the supervisor was quicker
    assert [part.state for part in stack.status(detached)] == ["running"] * 3


def test_an_unknown_part_is_refused_with_the_names_of_those_there_are(running: Running) -> None:
    with pytest.raises(StackError, match="no part 'nothing'; known: postgres, valkey, aws"):
        matching(running.home, "nothing")


def test_a_stack_whose_detached_supervisor_was_killed_is_mended_by_the_next_start(detached: Path) -> None:
    killed = process.recorded(detached, "supervisor")
    os.kill(killed.pid, signal.SIGKILL)
    while killed.alive:
        time.sleep(0.01)
    supervisor = stack.supervisor_status(detached)
    assert supervisor
    assert (supervisor.state, supervisor.detail) == ("dead", "nothing is started again: `smelt up` mends it")
    running = stack.start(detached, INFRASTRUCTURE)
    assert running.notes[0] == "stopped what a crashed earlier run left behind: postgres, valkey, aws"


def test_logs_are_readable_by_their_owner_only(running: Running) -> None:
    assert {path.stat().st_mode & 0o777 for path in (running.home / "logs").iterdir()} == {0o600}


def test_the_children_of_a_killed_part_end_with_it(tmp_path: Path) -> None:
    child = "import time; time.sleep(60)"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"
    parent = fake_worker(tmp_path, f"{program}; pathlib.Path('alive').touch(); time.sleep(60)")
    process.start(parent, tmp_path)
    started = process.await_ready(parent, tmp_path)
    (orphan,) = children_of(started.pid)
    birth = birth_of(orphan)
    os.kill(started.pid, signal.SIGKILL)
    while started.alive:
        time.sleep(0.01)
    assert process.stop([started], tmp_path) == []
    deadline = time.monotonic() + 5
    while birth_of(orphan) == birth:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_whose_liveness_file_is_no_longer_touched_is_replaced(tmp_path: Path) -> None:
    worker = fake_worker(tmp_path, "pathlib.Path('alive').touch(); time.sleep(60)")
    process.start(worker, tmp_path)
    started = process.await_ready(worker, tmp_path)
    watched = PartWatch(tmp_path, worker, first_delay=0, silence_limits={Kind.WORKER: 0.3})
    deadline = time.monotonic() + 10
    while not (reason := watched.reason_to_start()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert reason == "did not answer for 0 s"
    process.stop([started], tmp_path)


def test_a_supervisor_that_gets_a_signal_stops_every_part_before_it_ends(home: Path) -> None:
    program = f"""
import pathlib
from infra.embedded import stack, supervisor
from tests.integration.embedded import INFRASTRUCTURE
running = stack.start(pathlib.Path({str(home)!r}), INFRASTRUCTURE)
print("up", flush=True)
print(supervisor.supervise(running, tell=print))
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout
        assert supervisor.stdout.readline() == b"up\n"
        pids = stack_pids(home)
        supervisor.terminate()
        assert supervisor.stdout.read() == b"[]\n"
    assert len(pids) > len(stack.status(home))
    assert not any(birth_of(pid) for pid in pids)


def test_the_supervisor_ends_when_another_process_stops_the_stack(running: Running) -> None:
    stack.stop(running.home)
    assert list(watch(running, tick=0.01, first_delay=0)) == []


def test_a_worker_is_starting_until_it_touches_its_liveness_file(tmp_path: Path) -> None:
    worker = fake_worker(tmp_path, "time.sleep(.3); pathlib.Path('alive').touch(); time.sleep(60)")
    assert not process.start(worker, tmp_path).ready
    assert process.await_ready(worker, tmp_path).ready
    assert process.stop(process.all_recorded(tmp_path), tmp_path) == []


def test_a_worker_that_ignores_the_stop_signal_is_killed_and_named(tmp_path: Path) -> None:
    deaf = "signal.signal(15, signal.SIG_IGN); pathlib.Path('alive').touch(); time.sleep(60)"
    worker = fake_worker(tmp_path, deaf, patience=0.2)
    process.start(worker, tmp_path)
    started = process.await_ready(worker, tmp_path)
    assert process.stop([started], tmp_path) == ["fake"]
    assert not started.alive


def test_a_process_with_a_reused_pid_is_never_signalled(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        record = process.Process("fake", Kind.WORKER, stranger.pid, "an earlier birth", tmp_path / "log")
        assert process.stop([record], tmp_path) == []
        assert stranger.poll() is None
        stranger.kill()


def await_new_process(home: Path, name: str, before: Process) -> None:
    deadline = time.monotonic() + 60
    while (part := process.find_recorded(home, name)) is None or part == before or not part.ready:
        assert time.monotonic() < deadline, (home / "logs" / "supervisor.log").read_text()
        time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def fake_worker(folder: Path, program: str, patience: float = 5) -> Command:
    for name in ("run", "logs"):
        (folder / name).mkdir()
    return Command(
        "fake",
        Kind.WORKER,
        [sys.executable, "-c", f"import pathlib, signal, time; {program}"],
        {},
        folder,
        liveness=folder / "alive",
        patience=patience,
    )
