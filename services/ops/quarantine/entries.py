"""Rejected records: finding them, and sending them once more through the transformer after a fix."""

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

MOST_BYTES = 16 << 20  # of records in one replay object
MOST_RECORDS = 5_000
IDENTITY = ("dataset", "bucket", "key", "version", "transform_version", "observed_at")


@dataclass(frozen=True)
class Filter:
    """Which entries are meant; those that are closed only where `closed` says so. `older_than` is in seconds."""

    ids: tuple[int, ...] = ()
    dataset: str | None = None
    rule: str | None = None
    run: str | None = None
    older_than: float | None = None
    closed: bool = False

    def described(self) -> dict[str, object]:
        """What was asked for, for the record."""
        return {name: value for name, value in asdict(self).items() if value}

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """As SQL has them."""
        equal = {"dataset": self.dataset, "rule": self.rule, "run_id": self.run}
        yield from (QUARANTINE.c[name] == value for name, value in equal.items() if value)
        if self.ids:
            yield QUARANTINE.c.id.in_(self.ids)
        if self.older_than is not None:
            yield QUARANTINE.c.quarantined_at < func.now() - timedelta(seconds=self.older_than)
        if not self.closed:
            yield QUARANTINE.c.closed_at.is_(None)


def parse_filter(ids: Iterable[int], older_than: str | None, *, closed: bool = False, **same: str | None) -> Filter:
    """A filter as people write it: `15m`. Raises PermanentError for what cannot be meant."""
    return Filter(tuple(ids), older_than=durations.seconds(older_than) if older_than else None, closed=closed, **same)


@dataclass(frozen=True)
class Group:
    """Entries of one dataset that failed the same rule in the same field."""

    dataset: str
    rule: str
    field: str
    message: str
    records: int
    still_open: int
    first_at: datetime
    last_at: datetime


def find_groups(connection: Connection, wanted: Filter) -> list[Group]:
    """The most frequent first; `message` is that of one of them."""
    at, c = QUARANTINE.c.quarantined_at, QUARANTINE.c
    columns = [
        c.dataset,
        c.rule,
        c.field,
        func.min(c.message),
        func.count(),
        func.count().filter(c.closed_at.is_(None)),
    ]
    found = select(*columns, func.min(at), func.max(at)).where(*wanted.conditions())
    ordered = found.group_by(c.dataset, c.rule, c.field).order_by(func.count().desc(), c.dataset, c.rule, c.field)
    return [Group(*tuple(row)) for row in connection.execute(ordered)]


def find_entries(connection: Connection, wanted: Filter, most: int) -> Sequence[Row[Any]]:
    """Whole rows of `ops.quarantine`, the newest first."""
    newest = QUARANTINE.c.id.desc()
    return connection.execute(select(QUARANTINE).where(*wanted.conditions()).order_by(newest).limit(most)).all()


def find_replayable(connection: Connection, wanted: Filter, most: int | None) -> tuple[list[int], list[int]]:
    """Ids, the oldest first, of the open entries that are kept whole; and of those of which only the beginning is."""
    which = select(QUARANTINE.c.id, _is_whole()).where(*wanted.conditions(), QUARANTINE.c.closed_at.is_(None))
    rows = connection.execute(which.order_by(QUARANTINE.c.id).limit(most)).all()
    return [identity for identity, whole in rows if whole], [identity for identity, whole in rows if not whole]


def replay(
    connections: Connections, ids: Sequence[int], wanted: Filter, on_done: OnProgress = lambda _: None
) -> ActionResult:
    """Put the records into bronze once more, as seen when they were seen first; loading them closes the entries.

    Interrupted, the others stay open; done twice, the second time changes nothing.
    """
    batch, described, engine = identifiers.new_id(), wanted.described(), connections.database
    with (
        operator_log.recorded(engine, "quarantine", "replayed", described, len(ids)) as tally,
        engine.connect() as connection,
    ):
        rows = connection.execution_options(yield_per=100).execute(_in_order(ids))
        for number, (source, records) in enumerate(_by_source(rows), start=1):
            key = object_keys.replay_key(records[0].dataset, batch, number)
            body = _replay_object(source, records)
            objects.put(connections.s3, connections.settings.bucket, key, body, "application/json")
            tally.done += len(records)
            on_done(len(records))
    return tally


def _is_whole() -> ColumnElement[bool]:
    """Of what could not be parsed, or was too large, there is text instead of an object."""
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
    """Entries of one object together, in portions that fit into memory."""
    for _, of_source in groupby(rows, key=lambda row: tuple(getattr(row, name) for name in IDENTITY)):
        held: list[Row[Any]] = []
        size = 0
        for row in of_source:
            if held and (size + len(row.raw) > MOST_BYTES or len(held) == MOST_RECORDS):
                yield _source(held[0]), held
                held, size = [], 0
            held.append(row)
            size += len(row.raw)
        yield _source(held[0]), held


def _source(row: Row[Any]) -> ObjectId:
    return ObjectId(row.bucket, row.key, version_id=row.version, sequencer=row.sequencer)


def _replay_object(source: ObjectId, records: Sequence[Row[Any]]) -> bytes:
    replay = Replayed(
        source=source,
        transform_version=records[0].transform_version,
        observed_at=records[0].observed_at,
        indexes=tuple(row.record_index for row in records),
    )
    raw = ",".join(row.raw for row in records)  # is JSON already
    return f'{{"replay":{replay.model_dump_json()},"records":[{raw}]}}'.encode()
