"""Valkey as ElastiCache runs it: in cluster mode, over TLS, with a user of ours; and a Valkey that takes no writes."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import redis
import trustme

from infra.embedded import valkey
from services.extractor.rate_limit import RateLimit, connection_pool
from services.extractor.run_guard import RunGuard
from services.ops.connections import Connections
from services.ops.queues import stats
from shared.cache.content_hashes import ContentHashCache
from shared.engine.message import Message
from shared.engine.pending_retries import PendingRetry, PendingRetryStore
from shared.engine.worker_status import WorkerRegistry, WorkerReporter
from shared.formats.commands import TRIGGER, PageCommand, RunCommand
from shared.formats.run_plan import RunPlan
from tests.integration.tls_relay import relaying

pytestmark = pytest.mark.integration

PASSWORD = "a password of ours"  # noqa: S105 - of a server that lives for a test
USER = f"user smelt on >{PASSWORD.replace(' ', '-')} ~* +@all -@admin -@dangerous"
RUN_ID = "20250903T120000Z-0badcafe"


@dataclass(frozen=True)
class Server:
    """A Valkey of a test's own: how an administrator and how smelt reaches it."""

    administrator: "redis.Redis"
    url: str


def free_port() -> int:
    """One that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(folder: Path, *lines: str) -> Iterator[int]:
    """The port of a Valkey with these lines in its configuration."""
    port, configuration = free_port(), folder / "valkey.conf"
    own = (f"port {port}", "bind 127.0.0.1", f'dir "{folder}"', 'save ""', *lines)
    configuration.write_text("\n".join(own) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([valkey._binary(), configuration], stdout=log, stderr=log)
    try:
        with redis.Redis(port=port) as administrator:
            eventually(lambda: answers(administrator))
        yield port
    finally:
        process.kill()
        process.wait()


def answers(administrator: "redis.Redis") -> bool:
    try:
        return bool(administrator.ping())
    except redis.ConnectionError:
        return False


def eventually(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a Valkey in cluster mode that serves all slots."""
    cluster = ("cluster-enabled yes", f"cluster-port {free_port()}", USER)
    with running(tmp_path_factory.mktemp("cluster"), *cluster) as port, redis.Redis(port=port) as administrator:
        administrator.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        eventually(lambda: b"cluster_state:ok" in administrator.execute_command("CLUSTER", "INFO"))
        yield port


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[Server]:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").configure_cert(context)
    administrator = redis.Redis(port=port)
    administrator.flushall()
    with relaying(port, context, asks_first=False) as relay:
        login = f"smelt:{PASSWORD.replace(' ', '-')}"
        yield Server(administrator, f"rediss://{login}@127.0.0.1:{relay.port}/0?ssl_ca_certs={tmp_path / 'ca.pem'}")
    administrator.close()


def test_workers_are_heard_of(server: Server) -> None:
    reporter, roster = WorkerReporter(server.url, "loader"), WorkerRegistry(server.url)
    reporter.start()
    eventually(lambda: [seen.note.service for seen in roster.current()] == ["loader"])
    reporter.stop()
    eventually(lambda: roster.current() == [])


def test_messages_that_wait_are_noted(server: Server) -> None:
    board = PendingRetryStore(server.url)
    for number in range(20):
        board.put(PendingRetry(f"id-{number}", "{}", "loader", "E: why", 1, 5, 0.0), 60)
    assert len([*board.current()]) == 20
    board.remove(Message("{}", "id-1", "r", "u", receives=2, sent=0, first_received=0, attributes={}))
    assert len([*board.current()]) == 19


def test_hashes_of_many_keys_are_published_and_looked_up_at_once(server: Server) -> None:
    known, hashes = ContentHashCache(server.url), {str(n): bytes([n]) for n in range(100)}
    known.publish("things", hashes)
    assert known.look_up("things", [*hashes, "another"]) == [*hashes.values(), None]


def test_a_run_and_its_pages_are_remembered_together(server: Server) -> None:
    slots = RunGuard(connection_pool(server.url))
    page = PageCommand(dataset="things", run_id=RUN_ID, params={}, part=1, page=1, of=1)
    plan = RunPlan(run_id=RUN_ID, dataset="things", params={}, trigger=f"{TRIGGER}daily", expected_records=1, parts=())
    slots.mark_started(plan, [page])
    run = RunCommand(dataset="things", trigger=f"{TRIGGER}daily", scheduled_for="2025-09-03T12:00:00Z")
    assert "still running" in str(slots.rejection_reason(run, "20250904T120000Z-0badcafe"))
    slots.mark_fetched(page, [])
    assert slots.rejection_reason(run, "20250904T120000Z-0badcafe") is None


def test_the_rate_of_requests_is_shared(server: Server) -> None:
    limit = RateLimit(connection_pool(server.url))
    assert [limit._shared.hit(RateLimit.item(2), "a", "b") for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("state", "says"), [("maxmemory 1", "OOM|used memory"), ("replicaof 127.0.0.1 1", "read only replica")]
)
def test_a_valkey_that_takes_no_writes_does_not_read_as_no_worker_lives(
    state: str, says: str, tmp_path: Path, connections: Connections
) -> None:
    with running(tmp_path, state) as port:
        roster = WorkerRegistry(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(redis.RedisError, match=says):
            roster.current()
        look = stats.take_snapshot(replace(connections, roster=roster))
    assert look.workers is None
    assert any(problem.startswith("Redis: ") for problem in look.problems)
