"""Runs: starting one, and how far it has come."""

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
from services.ops.runs.queries import LATEST, ONE, RECENT
from shared.config.topology import BRONZE, EXTRACT, SILVER, Queue
from shared.datasets import contract
from shared.engine.pending_retries import PendingRetry
from shared.formats.commands import RunCommand

RUN_QUEUES = (EXTRACT, BRONZE, SILVER)  # of a run's messages: uploads wait elsewhere
POLL_SECONDS = 0.5  # s between two looks at a run
QUIET = 15.0  # s without a page or a message on a queue of runs: longer than an event takes from S3 to its queue


@dataclass(frozen=True)
class Run:
    """A run as the ledger knows it. Counts are records; `distinct_records` is known once the run is complete.

    `planned_pages` is what is known now: a part whose pages come one after another may turn out longer or shorter.
    `recent` is how many pages were loaded in the last RECENT seconds before `at`, all by the database's clock.
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
        """Whether every record read is accounted for, and every quarantined one can be looked at."""
        accounted = self.inserted + self.updated + self.unchanged + self.stale + self.quarantined
        return self.read == accounted and self.quarantined <= self.in_quarantine

    @property
    def done(self) -> bool:
        """Complete and conserved."""
        return self.completed_at is not None and self.conserved

    @property
    def conservation(self) -> str:
        """The law as a line to read."""
        return (
            f"read {self.read} = inserted {self.inserted} + updated {self.updated} + unchanged {self.unchanged}"
            f" + stale {self.stale} + quarantined {self.quarantined}"
        )

    @property
    def missing(self) -> int:
        """How many of the records that the source announced were on no page; 0 until the run is complete."""
        return (
            max(0, self.expected_records - self.distinct_records - self.quarantined)
            if self.distinct_records is not None
            else 0
        )

    @property
    def seconds(self) -> float | None:
        """From plan to last row, or to now; None where it is not known what now is."""
        end = self.completed_at or self.at
        return max(0.0, (end - self.planned_at).total_seconds()) if end else None

    @property
    def rate(self) -> float | None:
        """Pages a second of late; None where the run is complete."""
        if self.completed_at or self.seconds is None:
            return None
        return self.recent / max(1.0, min(RECENT, self.seconds))

    @property
    def seconds_left(self) -> float | None:
        """Until the last page at this rate; None where the run is complete or stands still."""
        return (self.planned_pages - self.pages) / self.rate if self.rate else None

    def state(self, *, busy: bool | None) -> str:
        """`complete`, `refused`, `running`, `incomplete` or `unknown`; `busy` is whether a queue on its way has any.

        With nothing under way for a while, what is missing does not come by itself.
        """
        if self.completed_at or self.rejected_reason:
            return "complete" if self.completed_at else "refused"
        if busy is None:
            return "unknown"
        moved_at = max(self.planned_at, self.last_at or self.planned_at)
        just_moved = self.at is not None and (self.at - moved_at).total_seconds() < QUIET
        return "running" if busy or just_moved else "incomplete"


@dataclass(frozen=True)
class Progress:
    """A look at a run: what the ledger knows of it (nothing until it is planned), what is dead, what waits and why."""

    run: Run | None = None
    dead_letters: tuple[DeadLetter, ...] = ()
    troubles: tuple[PendingRetry, ...] = ()


def start(connections: Connections, dataset: str, params: dict[str, str]) -> str:
    """Put one command on the extract queue; returns the new run's id. Raises PermanentError for wrong params."""
    checked = contract.source(dataset).checked(params)
    return send(connections, RunCommand(dataset=dataset, params=checked, trigger="cli"))


def send(connections: Connections, command: RunCommand) -> str:
    """Put the command on the extract queue as that of a new run; returns its id."""
    run_id = new_id()
    body = command.model_copy(update={"run_id": run_id}).model_dump_json()
    connections.sqs.send_message(QueueUrl=connections.settings.extract_queue_url, MessageBody=body)
    return run_id


def follow(connections: Connections, run_id: str, timeout: float) -> Iterator[Progress]:
    """Look at a run until it is done, refused, gets no further (dead letters, nothing under way), or time is over."""
    deadline = time.monotonic() + timeout
    idle = 0  # looks in a row that found nothing under way: one may fall between two hops
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
    """The run, or None while its plan is not in the ledger."""
    with connections.database.connect() as connection:
        row = connection.execute(ONE, {"run_id": run_id, "most": 1}).one_or_none()
    return Run(*row) if row else None


def find_latest(
    connection: Connection, most: int, dataset: str | None = None, since: timedelta | None = None
) -> list[Run]:
    """The newest runs first: of one dataset where it is named, and planned `since` so long."""
    return [Run(*row) for row in connection.execute(LATEST, {"most": most, "dataset": dataset, "since": since})]


def is_under_way(connections: Connections, way: Sequence[Queue] = RUN_QUEUES) -> bool | None:
    """Whether any of these queues has a message, of whatever run; None where that cannot be measured."""
    try:
        return _busy(connections, way)
    except (BotoCoreError, ClientError):
        return None


def pending_retries_of(connections: Connections, run_id: str) -> tuple[PendingRetry, ...]:
    """What of the run waits for another attempt; nothing where Redis is away, which only watching needs."""
    try:
        return tuple(trouble for trouble in connections.pending_retries.current() if run_id in trouble.body)
    except RedisError:
        return ()


def _busy(connections: Connections, way: Sequence[Queue]) -> bool:
    return any(counts.total for counts in stats.queue_counts(connections, way).values())


def _dead_letters_of(connections: Connections, run_id: str) -> tuple[DeadLetter, ...]:
    return tuple(letter for letter in dead_letters.look_if_any(connections) if run_id in letter.body)
