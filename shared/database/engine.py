"""Connections to Postgres, and which of its errors may be tried again."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import psycopg2
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from shared.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - a class, in small letters

PARAMETERS = {
    "statement_timeout": "120s",  # a page takes well under one
    "lock_timeout": "30s",  # longer than any other loader's transaction
    "timezone": "UTC",
}

# SQLSTATEs after which the same transaction may succeed: serialisation failure, deadlock, lock not available,
# statement timeout.
RETRYABLE = {"40001", "40P01", "55P03", "57014"}
# ... and those that say that this server is the wrong one after a failover, so that pooled connections are of no use.
WRONG_SERVER = {"25006", "57P01", "57P02", "57P03"}
# Classes of states that say the server cannot be reached or has no resources left ...
OUT_OF_REACH = ("08", "53")
# ... and those that blame the data: data exception, integrity constraint violation, a limit of Postgres exceeded.
BAD_DATA = ("22", "23", "54")


def connect(url: SecretStr, application: str) -> Engine:
    """An engine with timeouts and a small pool: one connection a working thread, checked before use."""
    engine = create_engine(
        make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2"),
        pool_size=2,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"application_name": f"smelt-{application}", "connect_timeout": 5},
    )
    return beginning_with(PARAMETERS, engine)


def beginning_with(parameters: Mapping[str, str], engine: Engine) -> Engine:
    """The engine, with these parameters set on each of its connections.

    They are set once it is there: RDS Proxy refuses connections that bring parameters of their own.
    """
    statement = "; ".join(f"set {name} = '{value}'" for name, value in parameters.items())

    @event.listens_for(engine, "connect")
    def settle(connection: "DriverConnection", _: object) -> None:
        connection.autocommit = True  # what a transaction sets is gone when it is rolled back
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.autocommit = False

    return engine


def explained(error: DBAPIError | psycopg2.Error, engine: Engine) -> Exception:
    """The error as one that says whether to try again; drops a pool whose connections lead to the wrong server.

    COPY goes past SQLAlchemy, so an error may be the driver's own.
    """
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "pgcode", None)
    lines = str(driver).strip().splitlines()
    summary = f"Postgres: {lines[0] if lines else type(driver).__name__}"
    lost = isinstance(driver, psycopg2.OperationalError | psycopg2.InterfaceError) and state is None
    if state in WRONG_SERVER or lost:
        engine.dispose()
        return TransientError(summary)
    if state in RETRYABLE or str(state).startswith(OUT_OF_REACH):
        return TransientError(summary)
    return PermanentError(f"{summary} ({state})") if str(state).startswith(BAD_DATA) else error
