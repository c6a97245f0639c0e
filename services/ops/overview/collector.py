"""Collects the measurements of the overview, concurrently."""

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

PAGE_TIMEOUT_SECONDS = 2.5  # that a page waits for measurements
RUNS = 20
DEAD_LETTER_INTERVAL_SECONDS = 10.0  # between two reads of dead letters, which hide them from others for a moment
STALE_SECONDS = 60.0  # for which older values are shown while newer ones are measured
QUIET_SECONDS = 15.0  # without a message on any queue; longer than an event takes from S3 to its queue
NOT_MEASURED = Unavailable("not measured")
SLOW_INTERVAL_SECONDS = 10.0  # between measurements of freshness, latency and schedules
TICK_SECONDS = 5.0  # between samples while nobody watches; costs about $1.40 a month of SQS requests
CLOUDWATCH_TIMEOUT_SECONDS = 1.0  # that a sample waits for CloudWatch

Queues = Measured[tuple[QueueStatus, ...]] | Unavailable  # every count known, or all unknown


@dataclass(frozen=True)
class Measurements:
    """Measurements of the system. `quiet` means that nothing has been in progress for a while."""

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
    """Measures on demand. Thread-safe."""

    def __init__(self, connections: Connections, cloudwatch: "CloudWatchClient") -> None:
        database = connections.database
        self._pulse = monitor_of(connections, cloudwatch, CLOUDWATCH_TIMEOUT_SECONDS)
        self._beats = CachedProbe("queues", self._pulse.sample)
        self._runs = CachedProbe("runs", lambda: _reading(database, lambda it: runs.find_latest(it, RUNS)))
        self._rows = CachedProbe("rows", lambda: _reading(database, row_counts.rows), lasting=STALE_SECONDS)
        self._latencies = CachedProbe(
            "latencies", lambda: _reading(database, latency.latencies), SLOW_INTERVAL_SECONDS, STALE_SECONDS
        )
        self._readings = CachedProbe(
            "readings", lambda: _slow_readings(connections), SLOW_INTERVAL_SECONDS, STALE_SECONDS
        )
        self._dead_letters = CachedProbe(
            "dead letters", lambda: dead_letters.look(connections), DEAD_LETTER_INTERVAL_SECONDS, STALE_SECONDS
        )
        self._busy_at = float("-inf")  # monotonic time of the last activity

    def sample(self) -> Measured[Sample] | Unavailable:
        """Sample the queues, for /metrics and for the history of the plots."""
        return self._beats.read(monotonic() + PAGE_TIMEOUT_SECONDS)

    def __call__(self) -> Measurements:
        """Measure everything within about PAGE_TIMEOUT_SECONDS."""
        deadline = monotonic() + PAGE_TIMEOUT_SECONDS
        for gauge in (self._runs, self._rows, self._latencies, self._readings):
            gauge.start()
        sample = self._beats.read(deadline)
        queues = _queues(sample)
        if isinstance(queues, Measured) and any(status.total for status in queues.value):
            self._busy_at = monotonic()
        return Measurements(
            at=datetime.now(UTC),
            queues=queues,
            dead_letters=self._dead(queues, deadline),
            runs=self._runs.read(deadline),
            rows=self._rows.read(deadline),
            quiet=monotonic() - self._busy_at > QUIET_SECONDS,
            history=self._pulse.history(),
            workers=_workers(sample),
            verdicts=_verdicts(sample, self._readings.read(deadline)),
            latencies=self._latencies.read(deadline),
        )

    def _dead(self, queues: Queues, deadline: float) -> Measured[list[DeadLetter]] | Unavailable:
        """Dead letters, read only if there are any."""
        if isinstance(queues, Unavailable):
            return queues
        if not any(status.dead for status in queues.value):
            return Measured([], queues.at)
        return self._dead_letters.read(deadline)


class Ticker:
    """Calls a function periodically in the background until stopped."""

    def __init__(self, beat: Callable[[], object]) -> None:
        self._beat, self._over = beat, Event()

    def start(self) -> None:
        """Start the thread."""
        Thread(target=self._run, name="metronome", daemon=True).start()

    def stop(self) -> None:
        """Stop after the current call."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(TICK_SECONDS):
            self._beat()


def with_short_timeouts(connections: Connections) -> Connections:
    """The same deployment with short timeouts and read-only database connections."""
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1}, max_pool_connections=32)
    limits = {
        **SILENCE,
        "application_name": "smelt-console",
        "connect_timeout": 2,  # libpq's minimum
        "tcp_user_timeout": 5_000,  # ms
        "keepalives_idle": 2,
        "keepalives_interval": 1,
    }
    parameters = PARAMETERS | {"statement_timeout": "10s", "lock_timeout": "2s", "default_transaction_read_only": "on"}
    url = connections.database.url
    # One connection for each of runs, rows, latencies and readings, and some for pages.
    database = create_engine(url, pool_size=4, max_overflow=4, pool_pre_ping=True, connect_args=limits)
    bound_ping(database)
    reading = with_session_parameters(parameters, database)
    return replace(connections, sqs=boto3.client("sqs", config=config), database=reading)


def _queues(sample: Measured[Sample] | Unavailable) -> Queues:
    if isinstance(sample, Unavailable):
        return sample
    if any(None in {status.total, status.dead} for status in sample.value.statuses):
        return _unknown(sample.value.snapshot, "SQS")
    return Measured(sample.value.statuses, sample.at)


def _workers(sample: Measured[Sample] | Unavailable) -> Measured[list[ObservedStatus]] | Unavailable:
    if isinstance(sample, Unavailable):
        return sample
    workers = sample.value.snapshot.workers
    return _unknown(sample.value.snapshot, "Redis") if workers is None else Measured(workers, sample.at)


def _unknown(snapshot: QueueSnapshot, part: str) -> Unavailable:
    return Unavailable(next((why for why in snapshot.problems if why.startswith(part)), "no answer"))


def _verdicts(
    sample: Measured[Sample] | Unavailable, slow: Measured[list[Measurement]] | Unavailable
) -> tuple[Verdict, ...]:
    """Evaluate the rules; missing measurements are unknown."""
    readings = [*slow.value] if isinstance(slow, Measured) else []
    if isinstance(sample, Measured):
        readings += measurements.of_queues(sample.value)
    return tuple(rules.evaluate(readings))


def _slow_readings(connections: Connections) -> list[Measurement]:
    return [*measurements.of_ledger(connections), *measurements.of_datasets(), *measurements.of_schedules(connections)]


def _reading(database: Engine, read: Callable[[Connection], T]) -> T:
    with database.connect() as connection:
        return read(connection)
