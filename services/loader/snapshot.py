"""Which records of a snapshot dataset are gone: those that its newest complete file does not have."""

import structlog
from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_, update

from shared import natural_key
from shared.config.topology import UPLOADS_PREFIX
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, fully_loaded_objects
from shared.datasets import registry
from shared.formats.observation import Observation, observation

log = structlog.get_logger()


def lock(connection: Connection, dataset: str) -> None:
    """Serialise loaders of the dataset, so that of two files that are completed at once the second sees both.

    Taken before the rows: a loader that waits for it holds no locks that the other one needs.
    """
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"snapshot {dataset}", 0))))


def settle(connection: Connection, dataset: str) -> None:
    """Set and clear `inactive_since` by the newest complete file. Records that it has and that were rejected stay.

    The result depends on what is loaded, not on the order: an older file that is loaded late brings nothing back, and
    rejected records count whether they are stored before or after the file is complete.
    """
    newest = _newest_complete(connection, dataset)
    if newest is None:
        return
    last_seen = registry.dataset(dataset).tables.last_seen
    older = _is_older(dataset, observation(newest.observed_at, newest.key, newest.sequencer, 0))
    rejected = tuple_(*last_seen.primary_key.columns).in_(_rejected_keys(connection, dataset, newest))
    inactive = last_seen.c.inactive_since
    connection.execute(update(last_seen).where(older, inactive.is_not(None), rejected).values(inactive_since=None))
    gone = update(last_seen).where(older, inactive.is_(None), ~rejected).values(inactive_since=newest.observed_at)
    if count := connection.execute(gone).rowcount:
        log.info("records.inactive", dataset=dataset, key=newest.key, records=count)


def _newest_complete(connection: Connection, dataset: str) -> Row[tuple[object, ...]] | None:
    """The newest file. Replays have only some of a file's records and do not count."""
    uploads = fully_loaded_objects().where(LOADED_OBJECT.c.dataset == dataset)
    uploads = uploads.where(LOADED_OBJECT.c.key.startswith(UPLOADS_PREFIX))
    observed_at = func.max(LOADED_OBJECT.c.observed_at)
    ordered = uploads.add_columns(func.max(LOADED_OBJECT.c.sequencer).label("sequencer")).order_by(observed_at.desc())
    newest = connection.execute(ordered.fetch(1, with_ties=True)).all()
    return max(newest, key=lambda row: observation(row.observed_at, row.key, row.sequencer, 0), default=None)


def _is_older(dataset: str, newest: Observation) -> ColumnElement[bool]:
    """Of an object before this one. The sequencer of a row has the batch number appended, from 1."""
    last_seen = registry.dataset(dataset).tables.last_seen.c
    order = tuple_(last_seen.observed_at, last_seen.source_key_hash, last_seen.sequencer)
    return order < tuple_(newest.observed_at, newest.source_key_hash, newest.sequencer)


def _rejected_keys(connection: Connection, dataset: str, newest: Row[tuple[object, ...]]) -> list[tuple[object, ...]]:
    of_object = (
        QUARANTINE.c.dataset == dataset,
        QUARANTINE.c.key == newest.key,
        QUARANTINE.c.version == newest.version,
    )
    columns = [*registry.dataset(dataset).tables.last_seen.primary_key.columns]
    texts = connection.scalars(
        select(QUARANTINE.c.natural_key).where(*of_object, QUARANTINE.c.natural_key.is_not(None))
    )
    return [values for text in texts if (values := natural_key.values(text, columns))]
