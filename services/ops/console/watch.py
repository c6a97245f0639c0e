"""What the page shows, measured: each part by itself, all of them at once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from time import monotonic
from typing import TypeVar

import boto3
from botocore.config import Config
from sqlalchemy import Connection, Engine, create_engine

from services.ops import dead_letters, landed, queues, runs
from services.ops.connections import Connections
from services.ops.console.gauge import Gauge, Known, Unknown
from services.ops.dead_letters import DeadLetter
from services.ops.queues import Depth
from services.ops.runs import Run

T = TypeVar("T")

PATIENCE = 2.5  # s that a page waits for its measurements at most
RUNS = 20
LOOK_EVERY = 10.0  # s between two looks at dead letters: a look hides them from others for a moment
LASTING = 60.0  # s that counts and dead letters are shown while newer ones are on their way
QUIET = 15.0  # s without a message on any queue: longer than an event takes from S3 to its queue


@dataclass(frozen=True)
class Measurements:
    """One look at the system. With `quiet` nothing has been on its way for a while."""

    at: datetime
    queues: Known[list[Depth]] | Unknown
    runs: Known[list[Run]] | Unknown
    rows: Known[dict[str, dict[str, int]]] | Unknown
    dead_letters: Known[list[DeadLetter]] | Unknown
    quiet: bool


class Watch:
    """Measures on demand; call it from any thread."""

    def __init__(self, connections: Connections) -> None:
        self._queues = Gauge("queues", lambda: queues.depths(connections))
        self._runs = Gauge("runs", lambda: _reading(connections.database, lambda it: runs.latest(it, RUNS)))
        self._rows = Gauge("rows", lambda: _reading(connections.database, landed.rows), lasting=LASTING)
        self._dead_letters = Gauge(
            "dead letters", lambda: dead_letters.look(connections), rest=LOOK_EVERY, lasting=LASTING
        )
        self._busy_at = float("-inf")  # monotonic: when something was last seen on its way

    def __call__(self) -> Measurements:
        """Measure everything, in about PATIENCE at most."""
        deadline = monotonic() + PATIENCE
        for gauge in (self._runs, self._rows):
            gauge.start()
        depths = self._queues.read(deadline)
        if isinstance(depths, Known) and any(depth.busy for depth in depths.value):
            self._busy_at = monotonic()
        return Measurements(
            at=datetime.now(UTC),
            queues=depths,
            dead_letters=self._dead(depths, deadline),
            runs=self._runs.read(deadline),
            rows=self._rows.read(deadline),
            quiet=monotonic() - self._busy_at > QUIET,
        )

    def _dead(self, depths: Known[list[Depth]] | Unknown, deadline: float) -> Known[list[DeadLetter]] | Unknown:
        """Looked at only where there are any."""
        if isinstance(depths, Unknown):
            return depths
        if not any(depth.dead for depth in depths.value):
            return Known([], depths.at)
        return self._dead_letters.read(deadline)


def impatient(connections: Connections) -> Connections:
    """The same deployment through clients that give up soon; the database is read only."""
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    limits = {
        "application_name": "smelt-console",
        "connect_timeout": "2",  # libpq's shortest
        "tcp_user_timeout": "5000",  # ms; a server that vanished
        "options": "-c statement_timeout=10s -c lock_timeout=2s -c timezone=UTC -c default_transaction_read_only=on",
    }
    url = connections.database.url.update_query_dict(limits)
    # Two connections: the gauges of runs and rows take one each.
    database = create_engine(url, pool_size=2, max_overflow=0, pool_pre_ping=True)
    return replace(connections, sqs=boto3.client("sqs", config=config), database=database)


def _reading(database: Engine, read: Callable[[Connection], T]) -> T:
    with database.connect() as connection:
        return read(connection)
