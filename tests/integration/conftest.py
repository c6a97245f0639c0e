"""Real Postgres, Valkey, queues and bucket, each test with empty tables and queues of its own where it needs them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import Engine, text

from infra.embedded import stack
from infra.embedded.stack import Running
from services.ops import connections as operators
from services.ops.connections import Connections
from services.ops.dlq import lease
from services.serving.gold import db_role
from shared.database import ops_tables
from shared.database.engine import connect
from shared.datasets import registry, silver_tables
from tests import served
from tests.integration.embedded import INFRASTRUCTURE
from tests.integration.letters import purge
from tests.integration.pipeline import Pipeline
from tests.integration.stations import loaded


@pytest.fixture(scope="session")
def engine(backends: Mapping[str, str]) -> Iterator[Engine]:
    """The migrated database."""
    assert all(registry.dataset(name).tables for name in registry.names())  # they enter the metadata
    engine = connect(SecretStr(backends["SMELT_DATABASE_URL"]), "test")
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Engine:
    """The same with empty tables."""
    tables = [*ops_tables.METADATA.sorted_tables, *silver_tables.METADATA.sorted_tables]
    with engine.begin() as connection:
        connection.execute(text(f"truncate {', '.join(table.fullname for table in tables)} restart identity cascade"))
    return engine


@pytest.fixture
def stations(database: Engine, tmp_path: Path) -> Iterator[Pipeline]:
    """The dataset of the documentation, with its file loaded."""
    with loaded(database, tmp_path) as pipeline:
        yield pipeline


@pytest.fixture
def connections(backends: Mapping[str, str], database: Engine) -> Iterator[Connections]:
    """An operator's, to empty tables and queues, and nothing in Redis."""
    assert database
    made = operators.connect()
    purge(made)
    redis.Redis.from_url(backends["SMELT_REDIS_URL"]).flushall()
    yield made
    made.database.dispose()


@pytest.fixture
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator is one server: what a short poll does not bring is not there."""
    monkeypatch.setattr(lease, "LONG_POLL_SECONDS", 0)


@pytest.fixture
def newcomer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other stack's settings, which fixtures of other tests put into the environment of this process."""
    for name in [name for name in os.environ if name.startswith(("SMELT_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that the tests of a module share, so that the database is initialised once."""
    home = tmp_path_factory.mktemp("machine") / ".smelt"
    yield home
    stack.erase(home)


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    """A stack of nothing but backends, in `home`."""
    yield stack.start(home, INFRASTRUCTURE)
    stack.stop(home)


@pytest.fixture(scope="module")
def readable(engine: Engine) -> Engine:
    """A database with the role that only reads."""
    served.make_role()
    db_role.grant_read_access(engine)
    return engine
