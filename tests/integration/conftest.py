"""Real Postgres, Valkey, queues and bucket, each test with empty tables and queues of its own where it needs them."""

from collections.abc import Iterator, Mapping

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from shared.database import ops_tables, silver_tables
from shared.database.engine import connect
from shared.datasets import contract


@pytest.fixture(scope="session")
def engine(backends: Mapping[str, str]) -> Iterator[Engine]:
    """The migrated database."""
    for dataset in contract.names():
        contract.tables(dataset)
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
