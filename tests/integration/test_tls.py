"""TLS to Postgres and Redis: every client looks at the certificate, and none speaks without it where it was told to."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import trustme
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from services.extractor.rate_limit import connection_pool
from services.ops.connections import connect as connect_operator
from services.ops.overview.collector import with_short_timeouts
from services.serving.api.rate_limit import RequestLimit
from services.serving.gold import db_role
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import load_settings
from shared.database.engine import connect
from shared.database.migrate import engine_of
from shared.engine.pending_retries import PendingRetryStore
from shared.engine.worker_status import WorkerRegistry
from tests.conftest import REPOSITORY
from tests.integration.pipeline import Pipeline, emptied, posting
from tests.integration.tls_relay import Relay, relaying

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"
ELSEWHERE = "database.elsewhere.example"
KEY = "uploads/usajobs_search/over-tls.json"


@dataclass(frozen=True)
class Server:
    """An encrypted way to one of the backends, and addresses of it for clients that trust this or that authority."""

    relay: Relay
    plain: str
    trusted: Path
    stranger: Path

    def address(self, authority: Path | None) -> str:
        """As a setting; without an authority not encrypted."""
        parts = urlsplit(self.plain)
        login, _, _ = parts.netloc.rpartition("@")
        options = {"redis": "ssl_ca_certs={}", "postgresql": "sslmode=verify-full&sslrootcert={}"}[parts.scheme]
        scheme = {"redis": "rediss", "postgresql": "postgresql"}[parts.scheme] if authority else parts.scheme
        query = f"?{options.format(authority)}" if authority else ""
        return f"{scheme}://{login}@{HOST}:{self.relay.port}{parts.path}{query}"

    @property
    def password(self) -> str:
        """Its secret."""
        return urlsplit(self.plain).password or ""


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path, Path]:
    """One that the servers are certified by, its file, and the file of a stranger."""
    folder, ours, stranger = tmp_path_factory.mktemp("authorities"), trustme.CA(), trustme.CA()
    for name, authority in (("ours.pem", ours), ("stranger.pem", stranger)):
        authority.cert_pem.write_to_path(str(folder / name))
    return ours, folder / "ours.pem", folder / "stranger.pem"


def encrypted(plain: str, authorities: tuple[trustme.CA, Path, Path], name: str) -> Iterator[Server]:
    ours, trusted, stranger = authorities
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert(name).configure_cert(context)
    parts = urlsplit(plain)
    with relaying(parts.port or 0, context, asks_first=parts.scheme == "postgresql") as relay:
        yield Server(relay, plain, trusted, stranger)


@pytest.fixture
def postgres(backends: Mapping[str, str], authorities: tuple[trustme.CA, Path, Path]) -> Iterator[Server]:
    yield from encrypted(backends["SMELT_DATABASE_URL"], authorities, HOST)


@pytest.fixture
def misnamed_postgres(backends: Mapping[str, str], authorities: tuple[trustme.CA, Path, Path]) -> Iterator[Server]:
    yield from encrypted(backends["SMELT_DATABASE_URL"], authorities, ELSEWHERE)


@pytest.fixture
def cache(backends: Mapping[str, str], authorities: tuple[trustme.CA, Path, Path]) -> Iterator[Server]:
    yield from encrypted(backends["SMELT_REDIS_URL"], authorities, HOST)


@pytest.fixture
def misnamed_cache(backends: Mapping[str, str], authorities: tuple[trustme.CA, Path, Path]) -> Iterator[Server]:
    yield from encrypted(backends["SMELT_REDIS_URL"], authorities, ELSEWHERE)


def of_the_console(url: str) -> Engine:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SMELT_DATABASE_URL", url)
        operator = connect_operator()
    operator.database.dispose()
    return with_short_timeouts(operator).database


ENGINES: dict[str, Callable[[str], Engine]] = {
    "loader and operators": lambda url: connect(SecretStr(url), "test"),
    "migrations": engine_of,
    "readers": lambda url: db_role.connect(SecretStr(url)),
    "console": of_the_console,
}


def ask_limit(url: str) -> None:
    limit = RequestLimit(1_000, url)
    limit._wait(limit._shared, "somebody")


CACHES: dict[str, Callable[[str], object]] = {
    "rate limit of sources, slots and code lists": lambda url: redis.Redis(connection_pool=connection_pool(url)).ping(),
    "rate limit of readers": ask_limit,
    "presence": lambda url: WorkerRegistry(url).current(),
    "troubles": lambda url: [*PendingRetryStore(url).current()],
    "known hashes": lambda url: ContentHashCache(url)._redis.ping(),
}


def asked(engine: Engine) -> object:
    try:
        with engine.connect() as connection:
            return connection.scalar(text("select 1"))
    finally:
        engine.dispose()


@pytest.mark.parametrize("client", ENGINES)
def test_postgres_is_spoken_to_over_tls_by(client: str, postgres: Server) -> None:
    assert asked(ENGINES[client](postgres.address(postgres.trusted))) == 1
    assert postgres.relay.sessions


@pytest.mark.parametrize("client", ENGINES)
def test_a_postgres_that_a_stranger_certified_is_refused_by(client: str, postgres: Server) -> None:
    with pytest.raises(DBAPIError, match="certificate verify failed") as refused:
        asked(ENGINES[client](postgres.address(postgres.stranger)))
    assert postgres.password not in str(refused.value)
    assert not postgres.relay.sessions


@pytest.mark.parametrize("client", ENGINES)
def test_a_postgres_with_the_certificate_of_another_is_refused_by(client: str, misnamed_postgres: Server) -> None:
    with pytest.raises(DBAPIError, match=f'server certificate for "{ELSEWHERE}" .*does not match host name "{HOST}"'):
        asked(ENGINES[client](misnamed_postgres.address(misnamed_postgres.trusted)))


def test_a_postgres_that_demands_tls_is_not_spoken_to_without(postgres: Server) -> None:
    with pytest.raises(DBAPIError):
        asked(connect(SecretStr(postgres.address(None) + "?sslmode=disable"), "test"))
    assert not postgres.relay.sessions


@pytest.mark.usefixtures("database")
def test_rows_are_copied_over_tls(postgres: Server, cache: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with emptied() as pipeline:
        pipeline.put(KEY, posting(1), posting(2))
        pipeline.refined()
        monkeypatch.setenv("SMELT_DATABASE_URL", postgres.address(postgres.trusted))
        monkeypatch.setenv("SMELT_REDIS_URL", cache.address(cache.trusted))
        encrypted_pipeline = Pipeline(replace(pipeline.connections, settings=load_settings()))
        assert encrypted_pipeline.work() == ["loaded"]
    assert postgres.relay.sessions
    assert cache.relay.sessions


@pytest.mark.parametrize("client", CACHES)
def test_redis_is_spoken_to_over_tls_by(client: str, cache: Server) -> None:
    CACHES[client](cache.address(cache.trusted))
    assert cache.relay.sessions


@pytest.mark.parametrize("client", CACHES)
def test_a_redis_that_a_stranger_certified_is_refused_by(client: str, cache: Server) -> None:
    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED") as refused:
        CACHES[client](cache.address(cache.stranger))
    assert cache.password not in str(refused.value)
    assert not cache.relay.sessions


@pytest.mark.parametrize("client", CACHES)
def test_a_redis_with_the_certificate_of_another_is_refused_by(client: str, misnamed_cache: Server) -> None:
    with pytest.raises(redis.ConnectionError, match="IP address mismatch"):
        CACHES[client](misnamed_cache.address(misnamed_cache.trusted))


def test_a_loader_does_not_start_on_a_database_that_a_stranger_certified(postgres: Server) -> None:
    started = process("services.loader.worker", postgres.address(postgres.stranger))
    assert started.returncode == 1
    assert "certificate verify failed" in started.stderr
    assert postgres.password not in started.stdout + started.stderr


def test_an_operator_is_told_of_a_certificate_that_does_not_fit(misnamed_postgres: Server) -> None:
    address = misnamed_postgres.address(misnamed_postgres.trusted)
    asked = process("services.ops.main", address, "db", "check")
    assert asked.returncode == 1
    assert "does not match host name" in asked.stderr
    assert misnamed_postgres.password not in asked.stdout + asked.stderr


def process(module: str, address: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    code = f"import sys, {module} as m; sys.argv = ['smelt', *sys.argv[1:]]; m.main()"
    command = ["-c", code] if module == "services.ops.main" else ["-m", module]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"SMELT_DATABASE_URL": address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
