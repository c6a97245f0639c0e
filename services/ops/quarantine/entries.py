"""Queries of rejected records, and their replay through the transformer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from services.ops import durations, identifiers, operator_log
from services.ops.connections import Connections
from services.ops.operator_log import ActionResult, OnProgress
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE
from shared.formats.silver import Replayed
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId

MAX_OBJECT_BYTES = 16 << 20  # of records per replay object
MAX_OBJECT_RECORDS = 5_000
IDENTITY = ("dataset", "bucket", "key", "version", "transform_version", "observed_at")


@dataclass(frozen=True)
class QuarantineFilter:
    """A filter on entries; closed ones are excluded unless `closed`. `older_than` is in seconds."""

    ids: tuple[int, ...] = ()
    dataset: str | None = None
    rule: str | None = None
    run: str | None = None
    older_than: float | None = None
    closed: bool = False

    def described(self) -> dict[str, object]:
        """The conditions, for the audit log."""
        return {name: value for name, value in asdict(self).items() if value}

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """The conditions in SQL."""
        equal = {"dataset": self.dataset, "rule": self.rule, "run_id": self.run}
        yield from (QUARANTINE.c[name] == value for name, value in equal.items() if value)
        if self.ids:
            yield QUARANTINE.c.id.in_(self.ids)
        if self.older_than is not None:
            yield QUARANTINE.c.quarantined_at < func.now() - timedelta(seconds=self.older_than)
        if not self.closed:
            yield QUARANTINE.c.closed_at.is_(None)


def parse_filter(
    ids: Iterable[int], older_than: str | None, *, closed: bool = False, **same: str | None
) -> QuarantineFilter:
    """Parse a filter as typed: `15m`. Raises PermanentError for invalid values."""
    return QuarantineFilter(
        tuple(ids), older_than=durations.seconds(older_than) if older_than else None, closed=closed, **same
    )


@dataclass(frozen=True)
class QuarantineGroup:
    """Entries of one dataset with the same failed rule and field."""

    dataset: str
    rule: str
    field: str
    message: str
    records: int
    still_open: int
    first_at: datetime
    last_at: datetime


def find_groups(connection: Connection, wanted: QuarantineFilter) -> list[QuarantineGroup]:
    """Groups, largest first; `message` is an example."""
    at, c = QUARANTINE.c.quarantined_at, QUARANTINE.c
    columns = [
        c.dataset,
        c.rule,
        c.field,
        func.min(c.message),
        func.count(),
        func.count().filter(c.closed_at.is_(None)),
    ]
    query = select(*columns, func.min(at), func.max(at)).where(*wanted.conditions())
    ordered = query.group_by(c.dataset, c.rule, c.field).order_by(func.count().desc(), c.dataset, c.rule, c.field)
    return [QuarantineGroup(*tuple(row)) for row in connection.execute(ordered)]


def find_entries(connection: Connection, wanted: QuarantineFilter, most: int) -> Sequence[Row[Any]]:
    """Rows of `ops.quarantine`, newest first."""
    newest = QUARANTINE.c.id.desc()
    return connection.execute(select(QUARANTINE).where(*wanted.conditions()).order_by(newest).limit(most)).all()


def find_replayable(connection: Connection, wanted: QuarantineFilter, most: int | None) -> tuple[list[int], list[int]]:
    """Ids of matching open entries, oldest first: complete ones, and truncated ones."""
    query = select(QUARANTINE.c.id, _is_whole()).where(*wanted.conditions(), QUARANTINE.c.closed_at.is_(None))
    rows = connection.execute(query.order_by(QUARANTINE.c.id).limit(most)).all()
    return [identity for identity, whole in rows if whole], [identity for identity, whole in rows if not whole]


def replay(
    connections: Connections, ids: Sequence[int], wanted: QuarantineFilter, on_done: OnProgress = lambda _: None
) -> ActionResult:
    """Store the records under replays/ with their original observation time; loading them closes the entries.

    Idempotent. If interrupted, the remaining entries stay open.
    """
    batch, described, engine = identifiers.new_id(), wanted.described(), connections.database
    with (
        operator_log.record_action(engine, "quarantine", "replayed", described, len(ids)) as result,
        engine.connect() as connection,
    ):
        rows = connection.execution_options(yield_per=100).execute(_in_order(ids))
        for number, (source, records) in enumerate(_by_source(rows), start=1):
            key = object_keys.replay_key(records[0].dataset, batch, number)
            body = _replay_object(source, records)
            objects.put(connections.s3, connections.settings.bucket, key, body, "application/json")
            result.done += len(records)
            on_done(len(records))
    return result


def _is_whole() -> ColumnElement[bool]:
    """Unparseable and oversized records are stored as a JSON string instead of an object."""
    return func.left(QUARANTINE.c.raw, 1) != '"'


def _in_order(ids: Sequence[int]) -> Any:
    sequencer = (
        select(func.max(LOADED_OBJECT.c.sequencer))
        .where(LOADED_OBJECT.c.key == QUARANTINE.c.key, LOADED_OBJECT.c.version == QUARANTINE.c.version)
        .scalar_subquery()
        .label("sequencer")
    )
    order = [QUARANTINE.c[name] for name in (*IDENTITY, "record_index")]
    return select(QUARANTINE, sequencer).where(QUARANTINE.c.id == func.any(list(ids))).order_by(*order)


def _by_source(rows: Iterable[Row[Any]]) -> Iterator[tuple[ObjectId, list[Row[Any]]]]:
    """Group entries by source object, in chunks that fit in memory."""
    for _, of_source in groupby(rows, key=lambda row: tuple(getattr(row, name) for name in IDENTITY)):
        chunk: list[Row[Any]] = []
        size = 0
        for row in of_source:
            if chunk and (size + len(row.raw) > MAX_OBJECT_BYTES or len(chunk) == MAX_OBJECT_RECORDS):
                yield _source(chunk[0]), chunk
                chunk, size = [], 0
            chunk.append(row)
            size += len(row.raw)
        yield _source(chunk[0]), chunk


def _source(row: Row[Any]) -> ObjectId:
    return ObjectId(row.bucket, row.key, version_id=row.version, sequencer=row.sequencer)


def _replay_object(source: ObjectId, records: Sequence[Row[Any]]) -> bytes:
    replay = Replayed(
        source=source,
        transform_version=records[0].transform_version,
        observed_at=records[0].observed_at,
        indexes=tuple(row.record_index for row in records),
    )
    raw = ",".join(row.raw for row in records)  # already JSON
    return f'{{"replay":{replay.model_dump_json()},"records":[{raw}]}}'.encode()
