"""Connections to Postgres, and which of its errors may be tried again."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg2
from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - a class, in small letters
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from shared.database.deadline import bound_ping, bound_use, deadline
from shared.errors import PermanentError, TransientError, UnavailableError

PARAMETERS = {
    "statement_timeout": "120s",  # a page takes well under one
    "lock_timeout": "30s",  # longer than any other loader's transaction
    "timezone": "UTC",
}
# A server that goes silent (a failover that drops packets, a cut route) never answers and never refuses: it is for the
# client's kernel to notice. libpq's own parameters, for every engine.
SILENCE: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,  # s for address, TCP, TLS and password; an answer of a server that lives takes milliseconds
    "tcp_user_timeout": 30_000,  # ms that what was sent may stay unacknowledged: TCP has tried seven times by then
    "keepalives": 1,
    "keepalives_idle": 10,  # s without a packet while waiting for an answer, then a probe ...
    "keepalives_interval": 5,  # ... every so many s ...
    "keepalives_count": 4,  # ... so often: silence ends after 30 s, as it does where something was sent
}
SETTING_UP = 10.0  # s for the parameters of a new connection, which take milliseconds
# s of one transaction of a service: statements time out after 120 s, and half the time limit of a task is left.
LONGEST_TRANSACTION = 300.0
LOCK_PAUSE = 60.0  # s until work that met a locked table is tried again; that somebody holds a lock is no failure of it

# SQLSTATEs after which the same transaction may succeed: serialisation failure, deadlock, statement timeout.
RETRYABLE = {"40001", "40P01", "57014"}
LOCKED = "55P03"
# ... and those that say that this server is the wrong one after a failover, so that pooled connections are of no use.
WRONG_SERVER = {"25006", "57P01", "57P02", "57P03"}
# Classes of states that say the server cannot be reached, has no resources left, or cannot read its disk ...
OUT_OF_REACH = ("08", "53", "58")
# ... and those that blame the data: data exception, integrity constraint violation, a limit of Postgres exceeded.
BAD_DATA = ("22", "23", "54")


def connect(url: SecretStr, application: str, longest_use: float | None = None) -> Engine:
    """An engine with timeouts and a small pool: one connection a working thread, checked before use.

    A connection that is in use for more than `longest_use` seconds is shut down.
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
    """The engine, with these parameters set on each of its connections.

    They are set once it is there: RDS Proxy refuses connections that bring parameters of their own.
    """
    statement = "; ".join(f"set {name} = '{value}'" for name, value in parameters.items())

    @event.listens_for(engine, "connect")
    def settle(connection: DriverConnection, _: object) -> None:
        connection.autocommit = True  # what a transaction sets is gone when it is rolled back
        with deadline(connection, SETTING_UP), connection.cursor() as cursor:
            cursor.execute(statement)
        connection.autocommit = False

    return engine


def classify_error(error: DBAPIError | psycopg2.Error, engine: Engine) -> Exception:
    """The error as one that says whether to try again; drops a pool whose connections lead to the wrong server.

    COPY goes past SQLAlchemy, so an error may be the driver's own.
    """
    driver = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(driver, "pgcode", None)
    summary = _summary(driver)
    if state in WRONG_SERVER or _is_lost(driver, state):
        engine.dispose()
        return UnavailableError(summary, "database")
    if str(state).startswith(OUT_OF_REACH):
        return UnavailableError(summary, "database")
    if state == LOCKED:
        return TransientError(summary, after=LOCK_PAUSE)
    if state in RETRYABLE:
        return TransientError(summary)
    return PermanentError(f"{summary} ({state})") if str(state).startswith(BAD_DATA) else error


def _is_lost(driver: object, state: str | None) -> bool:
    """Whether there is no connection. libpq sometimes says so in the middle of a COPY without saying what it is."""
    return state is None and (
        isinstance(driver, psycopg2.OperationalError | psycopg2.InterfaceError)
        or type(driver) is psycopg2.DatabaseError
    )


def _connection(url: SecretStr) -> DriverConnection:
    """As an engine makes it of the address, without an engine: its first connection asks the server a lot."""
    address = make_url(url.get_secret_value()).set(drivername="postgresql+psycopg2")
    _, parameters = address.get_dialect()().create_connect_args(address)
    connection: DriverConnection = psycopg2.connect(**{**parameters, "application_name": "smelt-probe", **SILENCE})
    return connection


def _summary(driver: object) -> str:
    lines = str(driver).strip().splitlines()
    return f"Postgres: {lines[0] if lines else type(driver).__name__}"


def probe(url: SecretStr) -> None:
    """Raises UnavailableError unless a new connection can be made to a server that takes writes.

    It needs no pool: the main process of a worker asks, and its children must not share a connection.
    """
    try:
        connection = _connection(url)
        try:
            with deadline(connection, SETTING_UP), connection.cursor() as cursor:
                cursor.execute("show transaction_read_only")
                read_only = cursor.fetchone() == ("on",)
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise UnavailableError(_summary(error), "database") from error
    if read_only:
        message = "Postgres: takes no writes"
        raise UnavailableError(message, "database")
