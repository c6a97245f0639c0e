"""A database that goes silent: nothing refuses, nothing answers. By a cut link in a namespace, and by a proxy."""

import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from shared.database import deadline
from shared.database.engine import classify_error, connect, probe
from shared.errors import UnavailableError
from tests.fault.proxy import Proxy

pytestmark = pytest.mark.integration

NETWORK = "10.231.77"  # of our own, in the namespace only
SOON = 45.0  # s: TCP gives up after 30


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def ip(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["ip", *arguments], capture_output=True, check=False)  # noqa: S607


@pytest.fixture
def namespace() -> Iterator[str]:
    """A network namespace with one link to here; its name is also that of the link."""
    name = f"s{uuid.uuid4().hex[:8]}"
    steps = [
        ("netns", "add", name),
        ("link", "add", name, "type", "veth", "peer", "name", f"{name}-p"),
        ("link", "set", f"{name}-p", "netns", name),
        ("addr", "add", f"{NETWORK}.1/24", "dev", name),
        ("link", "set", name, "up"),
        ("-n", name, "addr", "add", f"{NETWORK}.2/24", "dev", f"{name}-p"),
        ("-n", name, "link", "set", f"{name}-p", "up"),
    ]
    try:
        for step in steps:
            done = ip(*step)
            if done.returncode:
                pytest.skip(f"needs the right to make a network namespace: {done.stderr.decode().strip()}")
        yield name
    finally:
        ip("netns", "del", name)
        ip("link", "del", name)


def test_a_cut_link_ends_every_wait_within_seconds(namespace: str, backends: Mapping[str, str]) -> None:
    url = backends["SMELT_DATABASE_URL"]
    relay = Proxy(port_of(url), host=f"{NETWORK}.1")
    reached = url.replace(f"127.0.0.1:{port_of(url)}", f"{NETWORK}.1:{relay.port}")
    inside = ("ip", "netns", "exec", namespace)
    clients = {
        state: subprocess.Popen(
            [*inside, sys.executable, "-m", "tests.integration.silent_database", reached, state],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for state in ("in-use", "idle")
    }
    for client in clients.values():
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
    time.sleep(1)  # the statement of the one is on its way
    ip("link", "set", namespace, "down")
    for state, client in clients.items():
        said, _ = client.communicate("go on\n", timeout=100)
        seconds, error = said.split()
        assert (state, error) == (state, "UnavailableError")
        assert float(seconds) <= SOON
    relay.close()


@pytest.fixture
def proxy(backends: Mapping[str, str]) -> Iterator[Proxy]:
    """In front of Postgres; in the mode `silent` it takes everything and hands nothing on, as a frozen server does."""
    proxy = Proxy(port_of(backends["SMELT_DATABASE_URL"]))
    yield proxy
    proxy.close()


@pytest.fixture
def url(proxy: Proxy, backends: Mapping[str, str]) -> SecretStr:
    url = backends["SMELT_DATABASE_URL"]
    return SecretStr(url.replace(f":{port_of(url)}/", f":{proxy.port}/"))


def seconds_of(work: Callable[[], object], engine: Engine) -> float:
    """How long it took to find that the database is away."""
    began = time.monotonic()
    with pytest.raises(DBAPIError) as raised:
        work()
    assert isinstance(classify_error(raised.value, engine), UnavailableError)
    return time.monotonic() - began


def ask(engine: Engine, statement: str = "select 1") -> None:
    with engine.connect() as connection:
        connection.execute(text(statement))


def test_a_connection_that_does_not_come_about_is_given_up(proxy: Proxy, url: SecretStr) -> None:
    proxy.set("silent")
    engine = connect(url, "test")
    assert 4 < seconds_of(lambda: ask(engine), engine) < 10


def test_a_check_before_use_without_an_answer_is_given_up(
    proxy: Proxy, url: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadline, "PING_SECONDS", 1.0)
    engine = connect(url, "test")
    ask(engine)
    proxy.hush()
    assert seconds_of(lambda: ask(engine), engine) < 1 + 3 * 5  # then a new connection is tried, and again


def test_a_transaction_of_a_server_that_stopped_answering_is_shut_down(proxy: Proxy, url: SecretStr) -> None:
    engine = connect(url, "test", longest_use=2.0)

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(text("select 1"))
            proxy.hush()
            connection.execute(text("select 1"))

    assert 1 < seconds_of(work, engine) < 5


def test_a_connection_may_be_used_again_and_again_within_its_limit(url: SecretStr) -> None:
    engine = connect(url, "test", longest_use=2.0)
    for _ in range(5):
        ask(engine, "select pg_sleep(0.6)")
    engine.dispose()


def test_the_probe_finds_a_silent_and_a_read_only_server_away(proxy: Proxy, url: SecretStr) -> None:
    probe(url)
    with pytest.raises(UnavailableError, match="read-only"):
        probe(SecretStr(f"{url.get_secret_value()}?options=-c%20default_transaction_read_only%3Don"))
    proxy.set("silent")
    with pytest.raises(UnavailableError, match="timeout expired"):
        probe(url)
