"""What has become of an upload: its ledger rows, rejected records and dead letters."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from redis import RedisError
from sqlalchemy import Connection, func, select

from services.ops.connections import Connections
from services.ops.dlq import dead_letters
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.lineage import objects as stored_objects
from services.ops.runs import runs
from shared.config.topology import SILVER, UPLOADS
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE
from shared.datasets.ignored_uploads import ignored_by
from shared.engine.pending_retries import PendingRetry
from shared.storage import objects
from shared.storage.object_id import ObjectId

QUEUES = (UPLOADS, SILVER)  # that an upload passes
OUTCOMES = ("inserted", "updated", "unchanged", "stale", "quarantined")
POLL_SECONDS = 0.5  # between two queries
State = Literal["loaded", "dead letter", "superseded", "ignored", "partly loaded", "under way", "missing", "unknown"]
SETTLED = frozenset(("loaded", "dead letter", "superseded", "ignored"))


@dataclass(frozen=True)
class RejectedRecords:
    """Records that the same rule rejected; `message` is an example."""

    rule: str
    field: str
    message: str
    records: int


@dataclass(frozen=True)
class UploadOutcome:
    """The outcome of one version of an object so far. `counts` are those of the ledger: read, inserted, ….

    `state` is `missing` if no queue has a message, so that its event may be lost; `unknown` if queues do not answer.
    """

    stored: ObjectId
    state: State
    counts: Mapping[str, int]
    rejected: tuple[RejectedRecords, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    retries: tuple[PendingRetry, ...] = ()
    ignored_by: str | None = None  # the pattern that leaves it out

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in SETTLED

    @property
    def is_whole(self) -> bool:
        """Whether every record is in the tables."""
        return self.state == "loaded" and not self.counts["quarantined"]


def follow(connections: Connections, stored: ObjectId, timeout: float) -> Iterator[UploadOutcome]:
    """Yield the outcome until it is settled, or for so many seconds."""
    deadline = time.monotonic() + timeout
    while True:
        outcome = outcome_of(connections, stored)
        yield outcome
        if outcome.is_settled or time.monotonic() > deadline:
            return
        time.sleep(POLL_SECONDS)


def outcome_of(connections: Connections, stored: ObjectId) -> UploadOutcome:
    """What has become of this version until now."""
    if pattern := ignored_by(stored.key, connections.settings.ignored_files):
        return UploadOutcome(stored, "ignored", _counts(()), ignored_by=pattern)
    letters = tuple(
        letter for letter in dead_letters.look_if_any(connections) if stored_objects.concerns(letter, stored)
    )
    with connections.database.connect() as connection:
        batches = _batches(connection, stored)
        rejected = tuple(_rejected(connection, stored, batches))
    state = _state(connections, stored, batches, rejected, letters)
    return UploadOutcome(stored, state, _counts(batches), rejected, letters, _retries(connections, stored))


def _state(
    connections: Connections,
    stored: ObjectId,
    batches: Sequence[Any],
    rejected: Sequence[RejectedRecords],
    letters: Sequence[DeadLetter],
) -> State:
    are_all_there = any(batch.is_last_batch and batch.batch == len(batches) for batch in batches)
    if are_all_there and sum(group.records for group in rejected) >= _counts(batches)["quarantined"]:
        return "loaded"
    if letters:
        return "dead letter"
    if stored.version_id is None and objects.newest(connections.s3, stored.bucket, stored.key) != stored:
        return "superseded"  # without versioning, a newer object has taken its place
    if batches:
        return "partly loaded"
    busy = runs.is_under_way(connections, QUEUES)
    return "unknown" if busy is None else "under way" if busy else "missing"


def _batches(connection: Connection, stored: ObjectId) -> Sequence[Any]:
    """The ledger rows of the newest transform version."""
    own = (LOADED_OBJECT.c.key == stored.key, LOADED_OBJECT.c.version == stored.version)
    newest = select(func.max(LOADED_OBJECT.c.transform_version)).where(*own).scalar_subquery()
    return connection.execute(
        select(LOADED_OBJECT).where(*own, LOADED_OBJECT.c.transform_version == newest).order_by(LOADED_OBJECT.c.batch)
    ).all()


def _rejected(connection: Connection, stored: ObjectId, batches: Sequence[Any]) -> Iterator[RejectedRecords]:
    if not batches:
        return
    c = QUARANTINE.c
    own = (c.key == stored.key, c.version == stored.version, c.transform_version == batches[0].transform_version)
    query = select(c.rule, c.field, func.min(c.message), func.count()).where(*own).group_by(c.rule, c.field)
    for row in connection.execute(query.order_by(func.count().desc(), c.rule, c.field)):
        yield RejectedRecords(*row)


def _counts(batches: Sequence[Any]) -> dict[str, int]:
    return {name: sum(getattr(batch, name) for batch in batches) for name in ("read", *OUTCOMES)}


def _retries(connections: Connections, stored: ObjectId) -> tuple[PendingRetry, ...]:
    """Pending retries; none if Redis is unavailable."""
    if not stored.version:
        return ()
    try:
        return tuple(retry for retry in connections.pending_retries.current() if stored.version in retry.body)
    except RedisError:
        return ()
