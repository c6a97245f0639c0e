"""Deadlines for what libpq waits for.

It waits in C, where no signal of Python's arrives, and no timeout of the server's holds if the server is silent. When
its socket is shut down under it, it returns with the error of a lost connection.
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
    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - a class, in small letters
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

log = structlog.get_logger()

PING = 5.0  # s for the check of a pooled connection, which takes a millisecond
ENTRY = "deadline"  # where a pooled connection's record keeps it


class Deadline:
    """Shuts the connection's socket down after so many seconds, unless cancelled."""

    def __init__(self, connection: "DriverConnection", seconds: float) -> None:
        # A duplicate of the descriptor: the connection's own may be closed and belong to another file by then.
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._timer = Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        """Nothing is shut down any more."""
        self._timer.cancel()
        self._socket.close()

    def _shut_down(self) -> None:
        log.warning("database.silent", seconds=self._timer.interval)
        with suppress(OSError):  # gone by itself, or cancelled at this moment
            self._socket.shutdown(socket.SHUT_RDWR)


@contextmanager
def deadline(connection: "DriverConnection", seconds: float) -> Iterator[None]:
    """What is done inside with the connection ends within so many seconds."""
    limit = Deadline(connection, seconds)
    try:
        yield
    finally:
        limit.cancel()


def bound_ping(engine: Engine) -> None:
    """The check of a pooled connection before its use ends in time (`pool_pre_ping`)."""
    ping = engine.dialect.do_ping

    def bounded(connection: "DriverConnection") -> bool:
        with deadline(connection, PING):
            return ping(connection)  # type: ignore[arg-type]

    engine.dialect.do_ping = bounded  # type: ignore[method-assign, assignment]


def bound_use(engine: Engine, seconds: float) -> None:
    """From its checkout to its return a connection is used for so many seconds at most."""

    @event.listens_for(engine, "checkout")
    def begin(connection: "DriverConnection", entry: "ConnectionPoolEntry", _: "PoolProxiedConnection") -> None:
        _record(entry)[ENTRY] = Deadline(connection, seconds)

    @event.listens_for(engine, "checkin")
    def end(_: "DriverConnection | None", entry: "ConnectionPoolEntry") -> None:
        if limit := _record(entry).pop(ENTRY, None):
            limit.cancel()


def _record(entry: "ConnectionPoolEntry") -> dict[str, Deadline]:
    """What outlives the connection of an entry, which may be replaced while it is checked out."""
    record = entry.record_info
    assert record is not None  # noqa: S101 - SQLAlchemy types it for entries that are not of a pool
    return record
