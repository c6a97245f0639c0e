"""Starting runs and following their progress."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy import Connection

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.identifiers import new_id
from services.ops.queues import stats
from services.ops.runs.queries import LATEST, ONE, RATE_SECONDS
from shared.config.topology import BRONZE, EXTRACT, SILVER, Queue
from shared.datasets import registry
from shared.engine.pending_retries import PendingRetry
from shared.formats.commands import RunCommand

RUN_QUEUES = (EXTRACT, BRONZE, SILVER)  # queues used by runs; uploads have their own
POLL_SECONDS = 0.5  # between two queries
QUIET_SECONDS = 15.0  # s without a loaded page or queued message; longer than an event takes from S3 to its queue


@dataclass(frozen=True)
class Run:
    """A run in the ledger. Counts are records; `distinct_records` is known once the run is complete.

    `planned_pages` is the current number: sequential parts may turn out longer or shorter than planned. `recent` is the
    number of pages loaded in the last RATE_SECONDS before `at`. Times are by the database's clock.
    """

    run_id: str
    dataset: str
    params: dict[str, str]
    planned_at: datetime
    completed_at: datetime | None
    planned_pages: int
    expected_records: int
    distinct_records: int | None
    pages: int
    read: int
    inserted: int
    updated: int
    unchanged: int
    stale: int
    quarantined: int
    in_quarantine: int
    warnings: int = 0
    recent: int = 0
    last_at: datetime | None = None
    at: datetime | None = None
    trigger: str = ""
    rejected_reason: str | None = None

    @property
    def conserved(self) -> bool:
        """Whether the counts add up and all quarantined records are in the quarantine table."""
        accounted = self.inserted + self.updated + self.unchanged + self.stale + self.quarantined
        return self.read == accounted and self.quarantined <= self.in_quarantine

    @property
    def done(self) -> bool:
        """Whether the run is complete and its counts add up."""
        return self.completed_at is not None and self.conserved

    @property
    def conservation(self) -> str:
        """The conservation equation as text."""
        return (
            f"read {self.read} = inserted {self.inserted} + updated {self.updated} + unchanged {self.unchanged}"
            f" + stale {self.stale} + quarantined {self.quarantined}"
        )

    @property
    def missing(self) -> int:
        """Announced records that were on no page; 0 until the run is complete."""
        return (
            max(0, self.expected_records - self.distinct_records - self.quarantined)
            if self.distinct_records is not None
            else 0
        )

    @property
    def seconds(self) -> float | None:
        """Seconds from the plan to completion, or until now; None if the current time is unknown."""
        end = self.completed_at or self.at
        return max(0.0, (end - self.planned_at).total_seconds()) if end else None

    @property
    def rate(self) -> float | None:
        """Recent pages per second; None if the run is complete."""
        if self.completed_at or self.seconds is None:
            return None
        return self.recent / max(1.0, min(RATE_SECONDS, self.seconds))

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until completion; None if the run is complete or makes no progress."""
        return (self.planned_pages - self.pages) / self.rate if self.rate else None

    def state(self, *, busy: bool | None) -> str:
        """`complete`, `rejected`, `running`, `incomplete` or `unknown`; `busy` says whether its queues have messages.

        A run is incomplete if pages are missing and nothing has been in progress for a while.
        """
        if self.completed_at or self.rejected_reason:
            return "complete" if self.completed_at else "rejected"
        if busy is None:
            return "unknown"
        moved_at = max(self.planned_at, self.last_at or self.planned_at)
        just_moved = self.at is not None and (self.at - moved_at).total_seconds() < QUIET_SECONDS
        return "running" if busy or just_moved else "incomplete"


@dataclass(frozen=True)
class Progress:
    """The progress of a run: its ledger row (None until planned), dead letters and pending retries."""

    run: Run | None = None
    dead_letters: tuple[DeadLetter, ...] = ()
    retries: tuple[PendingRetry, ...] = ()


def start(connections: Connections, dataset: str, params: dict[str, str]) -> str:
    """Start a run and return its id. Raises PermanentError for invalid params."""
    checked = registry.dataset(dataset).source.checked(params)
    return send(connections, RunCommand(dataset=dataset, params=checked, trigger="cli"))


def send(connections: Connections, command: RunCommand) -> str:
    """Send a command with a new run id; returns the id."""
    run_id = new_id()
    body = command.model_copy(update={"run_id": run_id}).model_dump_json()
    connections.sqs.send_message(QueueUrl=connections.settings.extract_queue_url, MessageBody=body)
    return run_id


def follow(connections: Connections, run_id: str, timeout: float) -> Iterator[Progress]:
    """Yield the progress until the run is done, rejected or stuck (dead letters, nothing in progress), or times out."""
    deadline = time.monotonic() + timeout
    idle = 0  # consecutive queries without messages; one may fall between two hops
    while True:
        run = find(connections, run_id)
        busy = _busy(connections, RUN_QUEUES)
        dead = _dead_letters_of(connections, run_id)
        yield Progress(run, dead, pending_retries_of(connections, run_id))
        idle = 0 if busy else idle + 1
        if (dead and idle > 1) or (run and (run.done or run.rejected_reason)) or time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)


def find(connections: Connections, run_id: str) -> Run | None:
    """The run, or None until its plan is in the ledger."""
    with connections.database.connect() as connection:
        row = connection.execute(ONE, {"run_id": run_id, "most": 1}).one_or_none()
    return Run(*row) if row else None


def find_latest(
    connection: Connection, most: int, dataset: str | None = None, since: timedelta | None = None
) -> list[Run]:
    """The newest runs, optionally of one dataset and planned within `since`."""
    return [Run(*row) for row in connection.execute(LATEST, {"most": most, "dataset": dataset, "since": since})]


def is_under_way(connections: Connections, way: Sequence[Queue] = RUN_QUEUES) -> bool | None:
    """Whether any of these queues has messages, of any run; None if unknown."""
    try:
        return _busy(connections, way)
    except (BotoCoreError, ClientError):
        return None


def pending_retries_of(connections: Connections, run_id: str) -> tuple[PendingRetry, ...]:
    """Pending retries of the run; empty if Redis is unavailable."""
    try:
        return tuple(retry for retry in connections.pending_retries.current() if run_id in retry.body)
    except RedisError:
        return ()


def _busy(connections: Connections, way: Sequence[Queue]) -> bool:
    return any(counts.total for counts in stats.queue_counts(connections, way).values())


def _dead_letters_of(connections: Connections, run_id: str) -> tuple[DeadLetter, ...]:
    return tuple(letter for letter in dead_letters.look_if_any(connections) if run_id in letter.body)
