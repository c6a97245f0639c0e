"""Runs: starting one, and how far it has come."""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from redis import RedisError
from sqlalchemy import Connection, text

from services.ops import dead_letters, queues
from services.ops.connections import Connections
from services.ops.dead_letters import DeadLetter
from shared.datasets import contract
from shared.engine.trouble import Trouble
from shared.events import RunCommand

POLL = 0.5  # s between two looks at a run

# A page that was fetched or transformed again has several rows in the ledger; each of them adds up by itself.
RUNS = """
    select run.run_id, run.dataset, run.params, run.planned_at, run.completed_at, run.planned_pages, run.announced,
           run.covered, coalesce(loaded.pages, 0) as pages, coalesce(loaded.read, 0) as read,
           coalesce(loaded.inserted, 0) as inserted, coalesce(loaded.updated, 0) as updated,
           coalesce(loaded.unchanged, 0) as unchanged, coalesce(loaded.stale, 0) as stale,
           coalesce(loaded.quarantined, 0) as quarantined,
           (select count(*) from ops.quarantine where quarantine.run_id = run.run_id) as in_quarantine
    from ops.run left join (
        select run_id, count(distinct (part, page)) as pages, sum(read) as read, sum(inserted) as inserted,
               sum(updated) as updated, sum(unchanged) as unchanged, sum(stale) as stale,
               sum(quarantined) as quarantined
        from ops.object group by run_id
    ) as loaded using (run_id)
"""
ONE = text(f"{RUNS} where run_id = :run_id")
LATEST = text(f"{RUNS} order by run.planned_at desc limit :most")


@dataclass(frozen=True)
class Run:
    """A run as the ledger knows it. Counts are records; `covered` is known once the run is complete."""

    run_id: str
    dataset: str
    params: dict[str, str]
    planned_at: datetime
    completed_at: datetime | None
    planned_pages: int
    announced: int
    covered: int | None
    pages: int
    read: int
    inserted: int
    updated: int
    unchanged: int
    stale: int
    quarantined: int
    in_quarantine: int

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
        return max(0, self.announced - self.covered - self.quarantined) if self.covered is not None else 0


@dataclass(frozen=True)
class Progress:
    """A look at a run: what the ledger knows of it (nothing until it is planned), what is dead, what waits and why."""

    run: Run | None = None
    dead_letters: tuple[DeadLetter, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def start(connections: Connections, dataset: str, params: dict[str, str]) -> str:
    """Put one command on the extract queue; returns the new run's id. Raises PermanentError for wrong params."""
    checked = contract.source(dataset).checked(params)
    run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    command = RunCommand(dataset=dataset, run_id=run_id, params=checked, trigger="cli")
    connections.sqs.send_message(QueueUrl=connections.settings.extract_queue_url, MessageBody=command.model_dump_json())
    return run_id


def follow(connections: Connections, run_id: str, timeout: float) -> Iterator[Progress]:
    """Look at a run until it is done, or can get no further (dead letters and nothing under way), or time is over."""
    deadline = time.monotonic() + timeout
    idle = 0  # looks in a row that found nothing under way: one may fall between two hops
    while True:
        run = find(connections, run_id)
        depths = queues.depths(connections)
        dead = _dead_letters_of(connections, run_id) if any(depth.dead for depth in depths) else ()
        yield Progress(run, dead, _troubles_of(connections, run_id))
        idle = 0 if any(depth.busy for depth in depths) else idle + 1
        if (dead and idle > 1) or (run and run.done) or time.monotonic() > deadline:
            return
        time.sleep(POLL)


def find(connections: Connections, run_id: str) -> Run | None:
    """The run, or None while its plan is not in the ledger."""
    with connections.database.connect() as connection:
        row = connection.execute(ONE, {"run_id": run_id}).one_or_none()
    return Run(*row) if row else None


def latest(connection: Connection, most: int) -> list[Run]:
    """The newest runs first."""
    return [Run(*row) for row in connection.execute(LATEST, {"most": most})]


def _dead_letters_of(connections: Connections, run_id: str) -> tuple[DeadLetter, ...]:
    return tuple(letter for letter in dead_letters.look(connections) if run_id in letter.body)


def _troubles_of(connections: Connections, run_id: str) -> tuple[Trouble, ...]:
    """What of the run waits for another attempt; nothing where Redis is away, which only watching needs."""
    try:
        return tuple(trouble for trouble in connections.trouble.current() if run_id in trouble.body)
    except RedisError:
        return ()
