"""`smelt up` in the foreground, as `make run` calls it: what it says, how it stops, what a crash leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from infra.embedded import process, stack
from tests.conftest import Smelt, smelt_command

pytestmark = pytest.mark.e2e

UP = ("up", "--records", "600")


class Terminal:
    """`smelt up` running, and what it has said so far."""

    def __init__(self, home: Path) -> None:
        self.log = home.parent / f"output-{time.monotonic_ns()}.txt"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [Path(sys.executable).parent / "smelt", *UP],
                env=environment | {"SMELT_HOME": str(home), "COLUMNS": "200"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self, words: str, seconds: float = 90) -> str:
        """All output, once it contains these words."""
        deadline = time.monotonic() + seconds
        while words not in (output := self.log.read_text()):
            assert time.monotonic() < deadline, f"never said {words!r}:\n{output}"
            assert self.process.poll() is None, f"ended without saying {words!r}:\n{output}"
            time.sleep(0.1)
        return output

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / ".smelt"
    yield home
    stack.erase(home)


@pytest.fixture
def smelt(home: Path) -> Smelt:
    return smelt_command(home)


def jobs(home: Path) -> int:
    connection = psycopg2.connect(stack.environment(home)["SMELT_DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from silver.job")
            return int(cursor.fetchone()[0])  # type: ignore[index]
    finally:
        connection.close()


def test_up_extracts_says_what_landed_works_on_uploads_and_stops_at_ctrl_c(
    home: Path, smelt: Smelt, tmp_path: Path
) -> None:
    terminal = Terminal(home)
    output = terminal.said("Working on whatever arrives")
    landed = jobs(home)
    assert landed > 500
    assert f"silver.job {landed}" in " ".join(output.split())
    assert f"read {landed} = inserted {landed} + updated 0 + unchanged 0 + stale 0 + quarantined 0" in output
    assert "console   http://127.0.0.1:" in output

    (tmp_path / "letter.txt").write_text("Dear Sir or Madam")
    assert smelt("upload", str(tmp_path / "letter.txt"), "usajobs_search").returncode == 0
    terminal.said("dead letter on smelt-uploads-dlq: uploads/usajobs_search/letter.txt: PermanentError: neither JSON")
    assert smelt("runs", "start", "usajobs_search", "--param", "keyword=analyst", "--wait").returncode == 0
    terminal.said("loaded bronze/usajobs_search/date=")

    assert terminal.stop(signal.SIGINT) == 0
    assert terminal.log.read_text().rstrip().endswith("stopped")
    assert [part.name for part in process.all_recorded(home.resolve()) if part.alive] == []

    again = Terminal(home)
    assert "first extraction" not in again.said("Working on whatever arrives")
    assert jobs(home) == landed
    assert again.stop(signal.SIGTERM) == 0


def test_killed_in_mid_run_it_starts_again_and_finishes_the_run(home: Path, smelt: Smelt) -> None:
    terminal = Terminal(home)
    terminal.said("Working on whatever arrives")
    smelt("runs", "start", "usajobs_search")
    terminal.said("loaded bronze/usajobs_search/date=")
    everything = [part.pid for part in process.all_recorded(home.resolve()) if part.alive]
    terminal.process.kill()
    terminal.process.wait()
    for pid in everything:
        os.kill(pid, signal.SIGKILL)

    again = Terminal(home)
    output = again.said("Working on whatever arrives")
    assert "stopped what a crashed earlier run left behind" in output or "reconciliation sent" in output
    deadline = time.monotonic() + 60
    unfinished = "select run_id from ops.run where completed_at is null"
    while _rows(home, unfinished):
        assert time.monotonic() < deadline, _rows(home, unfinished)
        time.sleep(0.2)
    assert len(_rows(home, "select 1 from ops.run where dataset = 'usajobs_search'")) == 2
    assert again.stop(signal.SIGINT) == 0


def test_status_and_env_tell_what_runs(home: Path, smelt: Smelt) -> None:
    assert smelt("status").returncode == 1
    assert smelt("env").stderr == f"smelt: no stack is running in {home}: start one with `smelt up`\n"
    assert smelt("up", "--detach", "--no-first-run", "--records", "20").returncode == 0
    assert smelt("status").returncode == 0
    assert json.loads(smelt("env", "--json").stdout) == stack.environment(home)
    assert "is already running" in smelt("up").stderr
    shell = (
        'eval "$("$1" env)" && "$2" -c "import boto3, os; print(boto3.client(\'sqs\').list_queues()[\'QueueUrls\'])"'
    )
    result = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", str(Path(sys.executable).parent / "smelt"), sys.executable],
        env={"PATH": os.environ["PATH"], "SMELT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "smelt-silver-dlq" in result.stdout
    assert smelt("down").returncode == 0
    assert smelt("status").returncode == 1


def test_a_detached_stack_is_restarted_read_and_mended_by_one_command_each(home: Path, smelt: Smelt) -> None:
    assert smelt("up", "--detach", "--no-first-run", "--records", "20").returncode == 0
    before = process.recorded(home.resolve(), "loader-1").pid
    assert smelt("restart", "loader").stdout == "restarted loader-1\n"
    after = process.recorded(home.resolve(), "loader-1").pid
    assert after != before
    assert " info worker.started service=loader " in smelt("logs", "loader").stdout
    assert smelt("logs", "loader", "--trace", "0af7651916cd43dd8448eb211c80319c").stdout == ""
    assert "no log of 'nothing'; there are: aws, console" in smelt("logs", "nothing").stderr

    killed = [process.recorded(home.resolve(), name) for name in ("supervisor", "loader-1")]
    for part in killed:
        os.kill(part.pid, signal.SIGKILL)
    while any(part.alive for part in killed):
        time.sleep(0.01)
    assert ["supervisor", "dead"] in [line.split()[:2] for line in smelt("status").stdout.splitlines()]
    assert smelt("up", "--detach", "--no-first-run", "--records", "20").returncode == 0
    assert smelt("status").returncode == 0
    assert smelt("down").returncode == 0


def _rows(home: Path, query: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(stack.environment(home)["SMELT_DATABASE_URL"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()
