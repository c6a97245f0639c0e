"""Postgres engines, and the classification of Postgres errors."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - the driver's class has a lower-case name
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from shared.database.deadline import bound_ping, bound_use, deadline
from shared.errors import PermanentError, TransientError, UnavailableError

PARAMETERS = {
    "statement_timeout": "120s",  # a page takes under a second
    "lock_timeout": "30s",  # longer than any loader's transaction
    "timezone": "UTC",
}
# Timeouts for a server that stops responding (failover, lost route), enforced by the client's kernel. libpq parameters,
# used by every engine.
SILENCE: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,  # s for DNS, TCP, TLS and authentication, which take milliseconds
    "tcp_user_timeout": 30_000,  # ms that sent data may stay unacknowledged; TCP has retried seven times by then
    "keepalives": 1,
    "keepalives_idle": 10,  # s without a packet before the first probe
    "keepalives_interval": 5,  # s between probes
    "keepalives_count": 4,  # probes; a silent server is detected after 30 s
}
SETUP_SECONDS = 10.0  # to set parameters of a new connection, which takes milliseconds
# A statement may take 120 s; a transaction at most half of a task's time limit.
MAX_TRANSACTION_SECONDS = 300.0
LOCK_PAUSE_SECONDS = 60.0  # until work blocked by a lock is retried; does not count as an attempt

# SQLSTATEs for which a retry may succeed: serialisation failure, deadlock, statement timeout.
RETRYABLE = {"40001", "40P01", "57014"}
LOCKED = "55P03"
# SQLSTATEs of a server that is no longer the primary, so pooled connections must be closed.
WRONG_SERVER = {"25006", "57P01", "57P02", "57P03"}
# SQLSTATE classes: no connection, insufficient resources, system error.
UNREACHABLE_CLASSES = ("08", "53", "58")
# SQLSTATE classes: data exception, constraint violation, limit exceeded.
BAD_DATA = ("22", "23", "54")


def connect(url: SecretStr, application: str, longest_use: float | None = None) -> Engine:
    """An engine with timeouts and a small pool, which tests connections before use.

    A connection in use for more than `longest_use` seconds is shut down.
    """
    engine = create_engine(
        make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2"),
        pool_size=2,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"application_name": f"smelt-{application}", **SILENCE},
    )
    bound_ping(engine)
    if longest_use:
        bound_use(engine, longest_use)
    return with_session_parameters(PARAMETERS, engine)


def with_session_parameters(parameters: Mapping[str, str], engine: Engine) -> Engine:
    """Set these session parameters on each new connection of the engine, and return it.

    They are set with a statement, as RDS Proxy rejects parameters in the connection request.
    """
    statement = "; ".join(f"set {name} = '{value}'" for name, value in parameters.items())

    @event.listens_for(engine, "connect")
    def settle(connection: DriverConnection, _: object) -> None:
        connection.autocommit = True  # a rollback would undo the settings
        with deadline(connection, SETUP_SECONDS), connection.cursor() as cursor:
            cursor.execute(statement)
        connection.autocommit = False

    return engine


def classify_error(error: DBAPIError | psycopg2.Error, engine: Engine) -> Exception:
    """The error as one of `shared.errors`. Closes the pool if its connections are unusable.

    COPY bypasses SQLAlchemy, so the error may be the driver's own.
    """
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "pgcode", None)
    summary = _summary(driver)
    if state in WRONG_SERVER or _is_lost(driver, state):
        engine.dispose()
        return UnavailableError(summary, "database")
    if str(state).startswith(UNREACHABLE_CLASSES):
        return UnavailableError(summary, "database")
    if state == LOCKED:
        return TransientError(summary, after=LOCK_PAUSE_SECONDS)
    if state in RETRYABLE:
        return TransientError(summary)
    return PermanentError(f"{summary} ({state})") if str(state).startswith(BAD_DATA) else error


def _is_lost(driver: object, state: str | None) -> bool:
    """Whether the connection is lost. During COPY libpq may report it without an SQLSTATE."""
    return state is None and (
        isinstance(driver, psycopg2.OperationalError | psycopg2.InterfaceError)
        or type(driver) is psycopg2.DatabaseError
    )


def _connection(url: SecretStr) -> DriverConnection:
    """A connection with an engine's parameters. An engine's first connection would run more queries."""
    address = make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2")
    _, parameters = address.get_dialect()().create_connect_args(address)
    connection: DriverConnection = psycopg2.connect(**{**parameters, "application_name": "smelt-probe", **SILENCE})
    return connection


def _summary(driver: object) -> str:
    lines = str(driver).strip().splitlines()
    return f"Postgres: {lines[0] if lines else type(driver).__name__}"


def probe(url: SecretStr) -> None:
    """Raises UnavailableError unless a new connection reaches a server that accepts writes.

    Used in a worker's main process, which must not share pooled connections with its children.
    """
    try:
        connection = _connection(url)
        try:
            with deadline(connection, SETUP_SECONDS), connection.cursor() as cursor:
                cursor.execute("show transaction_read_only")
                read_only = cursor.fetchone() == ("on",)
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise UnavailableError(_summary(error), "database") from error
    if read_only:
        message = "Postgres: read-only"
        raise UnavailableError(message, "database")
