"""The quarantine table: entries are inserted, and closed when their record is replayed or superseded."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared import natural_key
from shared.database.ops_tables import QUARANTINE
from shared.datasets import registry
from shared.formats.quarantine import Rejected
from shared.formats.silver import SilverHeader


def insert_entries(connection: Connection, entries: Sequence[Rejected]) -> None:
    """Insert the entries of one object. Entries of records observed since as valid are closed at once."""
    rows = [_row(entry) for entry in entries]
    connection.execute(insert(QUARANTINE).on_conflict_do_nothing(), rows)
    keys = [entry.natural_key for entry in entries if entry.natural_key]
    superseded = _observed_after(connection, entries[0], keys)
    own = and_(QUARANTINE.c.key == entries[0].source.key, QUARANTINE.c.observed_at <= entries[0].observed_at)
    _close(connection, entries[0].dataset, superseded, own)


def close_entries(connection: Connection, header: SilverHeader, keys: Sequence[str]) -> None:
    """Close earlier entries of this batch's records, and the entries that it replays."""
    _close(connection, header.dataset, keys, _observed_before(header))
    if replay := header.replay:
        source = {"key": replay.source.key, "version": replay.source.version}
        own = [QUARANTINE.c[name] == value for name, value in source.items()]
        repeated = and_(
            *own,
            QUARANTINE.c.transform_version == replay.transform_version,
            QUARANTINE.c.record_index.in_(replay.indexes),
        )
        _set_closed(connection, repeated, "replayed")


def _observed_before(header: SilverHeader) -> ColumnElement[bool]:
    """Entries from an earlier observation, or from the same one by an older transform version."""
    observed_at, transform_version = QUARANTINE.c.observed_at, QUARANTINE.c.transform_version
    return or_(
        observed_at < header.observed_at,
        and_(observed_at == header.observed_at, transform_version < header.transform_version),
    )


def _close(connection: Connection, dataset: str, keys: Sequence[str], also: Any) -> None:
    matching = and_(QUARANTINE.c.dataset == dataset, QUARANTINE.c.natural_key == func.any(list(keys)), also)
    if keys:
        _set_closed(connection, matching, "superseded")


def _set_closed(connection: Connection, which: Any, how: str) -> None:
    statement = update(QUARANTINE).where(QUARANTINE.c.closed_at.is_(None), which)
    connection.execute(statement.values(closed_at=func.now(), closed_as=how))


def _observed_after(connection: Connection, entry: Rejected, keys: Sequence[str]) -> list[str]:
    """The natural keys with a newer observation in the database."""
    last_seen = registry.dataset(entry.dataset).tables.last_seen
    columns = list(last_seen.primary_key.columns)
    values = {key: typed for key in keys if (typed := natural_key.values(key, columns))}
    if not values:
        return []
    same_key = or_(*(and_(*(c == v for c, v in zip(columns, typed, strict=True))) for typed in values.values()))
    newer = {
        tuple(row)
        for row in connection.execute(select(*columns).where(same_key, last_seen.c.observed_at > entry.observed_at))
    }
    return [key for key, typed in values.items() if typed in newer]


def _row(entry: Rejected) -> dict[str, Any]:
    return {
        "dataset": entry.dataset,
        "bucket": entry.source.bucket,
        "key": entry.source.key,
        "version": entry.source.version,
        "transform_version": entry.transform_version,
        "record_index": entry.record_index,
        "natural_key": entry.natural_key,
        "observed_at": entry.observed_at,
        "run_id": entry.run_id,
        **entry.problems[0].model_dump(),
        "problems": [problem.model_dump() for problem in entry.problems],
        "raw": entry.raw,
    }
