"""Deadlines for calls of libpq.

libpq blocks in C, where Python's signals do not arrive, and a silent server enforces no timeouts. When its socket is
shut down, the call returns with a lost-connection error.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - the driver's class has a lower-case name
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

log = structlog.get_logger()

PING_SECONDS = 5.0  # for the check of a pooled connection, which takes a millisecond
ENTRY = "deadline"  # key in a pooled connection's record


class Deadline:
    """Shuts down a connection's socket after this time unless cancelled."""

    def __init__(self, connection: "DriverConnection", seconds: float) -> None:
        # A duplicate descriptor, as the connection's own may be closed and reused meanwhile.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._timer = Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Cancel the deadline."""
        self._timer.cancel()
        self._socket.close()

    def _shut_down(self) -> None:
        log.warning("database.silent", seconds=self._timer.interval)
        with suppress(OSError):  # closed or cancelled at the same moment
            self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def deadline(connection: "DriverConnection", seconds: float) -> Iterator[None]:
    """Context manager that limits the use of a connection to this time."""
    limit = Deadline(connection, seconds)
    try:
        yield
    finally:
        limit.cancel()


def bound_ping(engine: Engine) -> None:
    """Limit the time of the engine's `pool_pre_ping`."""
    ping = engine.dialect.do_ping

    def bounded(connection: "DriverConnection") -> bool:
        with deadline(connection, PING_SECONDS):
            return ping(connection)  # type: ignore[arg-type]

    engine.dialect.do_ping = bounded  # type: ignore[method-assign, assignment]


def bound_use(engine: Engine, seconds: float) -> None:
    """Limit the time from checkout to return of the engine's connections."""

    @event.listens_for(engine, "checkout")
    def begin(connection: "DriverConnection", entry: "ConnectionPoolEntry", _: "PoolProxiedConnection") -> None:
        _record(entry)[ENTRY] = Deadline(connection, seconds)

    @event.listens_for(engine, "checkin")
    def end(_: "DriverConnection | None", entry: "ConnectionPoolEntry") -> None:
        if limit := _record(entry).pop(ENTRY, None):
            limit.cancel()


def _record(entry: "ConnectionPoolEntry") -> dict[str, Deadline]:
    """The entry's record, which outlives its connection."""
    record = entry.record_info
    assert record is not None  # noqa: S101 - optional in SQLAlchemy's types only
    return record
