"""What connections to Postgres begin with."""

import pytest
from sqlalchemy import Engine, text

from services.ops import connections as operators
from services.ops.connections import Connections
from services.ops.overview.collector import with_short_timeouts

pytestmark = pytest.mark.integration


def begun(engine: Engine, *names: str) -> list[str]:
    """Parameters of a connection, after a transaction that was rolled back."""
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        connection.rollback()
        return [str(connection.scalar(text(f"show {name}"))) for name in names]


def test_they_give_up_in_time_and_are_in_utc(engine: Engine) -> None:
    assert begun(engine, "statement_timeout", "lock_timeout", "timezone") == ["2min", "30s", "UTC"]


def test_the_console_gives_up_sooner_and_only_reads(connections: Connections) -> None:
    looking = with_short_timeouts(connections).database
    try:
        found = begun(looking, "statement_timeout", "lock_timeout", "timezone", "default_transaction_read_only")
    finally:
        looking.dispose()
    assert found == ["10s", "2s", "UTC", "on"]


def test_none_brings_parameters_of_its_own_which_rds_proxy_refuses(engine: Engine, connections: Connections) -> None:
    for one in (engine, operators.connect().database, with_short_timeouts(connections).database):
        with one.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            assert not driver.get_dsn_parameters().get("options")
        one.dispose()
