"""What the overview shows, measured: each part by itself, all of them at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from sqlalchemy import Connection, Engine, create_engine

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.health import measurements, rules
from services.ops.health.rules import Measurement, Verdict
from services.ops.overview import latency, row_counts
from services.ops.overview.latency import Latency
from services.ops.probe import CachedProbe, Measured, Unavailable
from services.ops.queues.monitor import Sample, TimedStatus, monitor_of
from services.ops.queues.rates import QueueStatus
from services.ops.queues.stats import QueueSnapshot
from services.ops.runs import runs
from services.ops.runs.runs import Run
from shared.database.deadline import bound_ping
from shared.database.engine import PARAMETERS, SILENCE, with_session_parameters
from shared.engine.worker_status import ObservedStatus

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

T = TypeVar("T")

PATIENCE = 2.5  # s that a page waits for its measurements at most
RUNS = 20
LOOK_EVERY = 10.0  # s between two looks at dead letters: a look hides them from others for a moment
LASTING = 60.0  # s that counts and dead letters are shown while newer ones are on their way
QUIET = 15.0  # s without a message on any queue: longer than an event takes from S3 to its queue
NOT_MEASURED = Unavailable("not measured")
SLOW = 10.0  # s between two looks at what changes slowly: freshness, latency, schedules
EVERY = 5.0  # s between two looks while nobody watches: about $1.40 a month of requests to SQS
AGES_PATIENCE = 1.0  # s that a look at the queues waits for CloudWatch

Queues = Measured[tuple[QueueStatus, ...]] | Unavailable  # with every count known, or unknown altogether


@dataclass(frozen=True)
class Measurements:
    """One look at the system. With `quiet` nothing has been on its way for a while."""

    at: datetime
    queues: Queues
    runs: Measured[list[Run]] | Unavailable
    rows: Measured[dict[str, dict[str, int]]] | Unavailable
    dead_letters: Measured[list[DeadLetter]] | Unavailable
    quiet: bool
    history: Mapping[str, tuple[TimedStatus, ...]] = field(default_factory=dict)  # by queue
    workers: Measured[list[ObservedStatus]] | Unavailable = NOT_MEASURED
    verdicts: tuple[Verdict, ...] = ()
    latencies: Measured[list[Latency]] | Unavailable = NOT_MEASURED


class DashboardCollector:
    """Measures on demand; call it from any thread."""

    def __init__(self, connections: Connections, cloudwatch: "CloudWatchClient") -> None:
        database = connections.database
        self._pulse = monitor_of(connections, cloudwatch, AGES_PATIENCE)
        self._beats = CachedProbe("queues", self._pulse.beat)
        self._runs = CachedProbe("runs", lambda: _reading(database, lambda it: runs.find_latest(it, RUNS)))
        self._rows = CachedProbe("rows", lambda: _reading(database, row_counts.rows), lasting=LASTING)
        self._latencies = CachedProbe("latencies", lambda: _reading(database, latency.latencies), SLOW, LASTING)
        self._readings = CachedProbe("readings", lambda: _slow_readings(connections), SLOW, LASTING)
        self._dead_letters = CachedProbe("dead letters", lambda: dead_letters.look(connections), LOOK_EVERY, LASTING)
        self._busy_at = float("-inf")  # monotonic: when something was last seen on its way

    def beat(self) -> Measured[Sample] | Unavailable:
        """Look at the queues: for /metrics, and so that there is something to plot when somebody comes."""
        return self._beats.read(monotonic() + PATIENCE)

    def __call__(self) -> Measurements:
        """Measure everything, in about PATIENCE at most."""
        deadline = monotonic() + PATIENCE
        for gauge in (self._runs, self._rows, self._latencies, self._readings):
            gauge.start()
        beat = self._beats.read(deadline)
        queues = _queues(beat)
        if isinstance(queues, Measured) and any(flow.total for flow in queues.value):
            self._busy_at = monotonic()
        return Measurements(
            at=datetime.now(UTC),
            queues=queues,
            dead_letters=self._dead(queues, deadline),
            runs=self._runs.read(deadline),
            rows=self._rows.read(deadline),
            quiet=monotonic() - self._busy_at > QUIET,
            history=self._pulse.history(),
            workers=_workers(beat),
            verdicts=_verdicts(beat, self._readings.read(deadline)),
            latencies=self._latencies.read(deadline),
        )

    def _dead(self, queues: Queues, deadline: float) -> Measured[list[DeadLetter]] | Unavailable:
        """Looked at only where there are any."""
        if isinstance(queues, Unavailable):
            return queues
        if not any(flow.dead for flow in queues.value):
            return Measured([], queues.at)
        return self._dead_letters.read(deadline)


class Ticker:
    """Beats also while nobody watches, until it is stopped."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self._beat, self._over = beat, Event()

    def start(self) -> None:
        """In the background."""
        Thread(target=self._run, name="metronome", daemon=True).start()

    def stop(self) -> None:
        """No further beat."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            self._beat()


def with_short_timeouts(connections: Connections) -> Connections:
    """The same deployment through clients that give up soon; the database is read only."""
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}, max_pool_connections=32)
    limits = {
        **SILENCE,
        "application_name": "smelt-console",
        "connect_timeout": 2,  # libpq's shortest
        "tcp_user_timeout": 5_000,  # ms; a server that vanished
        "keepalives_idle": 2,
        "keepalives_interval": 1,
    }
    parameters = PARAMETERS | {"statement_timeout": "10s", "lock_timeout": "2s", "default_transaction_read_only": "on"}
    url = connections.database.url
    # A connection each for what is measured (runs, rows, latencies, readings), and some for pages.
    database = create_engine(url, pool_size=4, max_overflow=4, pool_pre_ping=True, connect_args=limits)
    bound_ping(database)
    reading = with_session_parameters(parameters, database)
    return replace(connections, sqs=boto3.client("sqs", config=config), database=reading)


def _queues(beat: Measured[Sample] | Unavailable) -> Queues:
    if isinstance(beat, Unavailable):
        return beat
    if any(None in {flow.total, flow.dead} for flow in beat.value.flows):
        return _unknown(beat.value.look, "SQS")
    return Measured(beat.value.flows, beat.at)


def _workers(beat: Measured[Sample] | Unavailable) -> Measured[list[ObservedStatus]] | Unavailable:
    if isinstance(beat, Unavailable):
        return beat
    workers = beat.value.look.workers
    return _unknown(beat.value.look, "Redis") if workers is None else Measured(workers, beat.at)


def _unknown(look: QueueSnapshot, part: str) -> Unavailable:
    return Unavailable(next((why for why in look.problems if why.startswith(part)), "no answer"))


def _verdicts(
    beat: Measured[Sample] | Unavailable, slow: Measured[list[Measurement]] | Unavailable
) -> tuple[Verdict, ...]:
    """What was not measured is unknown to the rules as well."""
    found = [*slow.value] if isinstance(slow, Measured) else []
    if isinstance(beat, Measured):
        found += measurements.of_queues(beat.value)
    return tuple(rules.evaluate(found))


def _slow_readings(connections: Connections) -> list[Measurement]:
    return [*measurements.of_ledger(connections), *measurements.of_datasets(), *measurements.of_schedules(connections)]


def _reading(database: Engine, read: Callable[[Connection], T]) -> T:
    with database.connect() as connection:
        return read(connection)
