"""Deactivates records that a complete run of their scope no longer contains. They become active when observed again."""

from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select, tuple_, update

from shared import natural_key
from shared.config.topology import UPLOADS_PREFIX
from shared.database.ops_tables import LOADED_OBJECT, QUARANTINE, RUN
from shared.datasets import registry
from shared.datasets.silver_tables import PROVENANCE
from shared.errors import PermanentError

log = structlog.get_logger()


def deactivate_missing(connection: Connection, run: Row[Any]) -> None:
    """Set `inactive_since` on records last observed before the run began.

    A run without params covers all records; one with params covers those observed by runs with the same params. Times
    are by the source's clock. A run with fewer records than the source announced deactivates nothing.
    """
    begin, rejected = connection.execute(
        select(func.min(LOADED_OBJECT.c.observed_at), func.sum(LOADED_OBJECT.c.quarantined)).where(
            LOADED_OBJECT.c.run_id == run.run_id
        )
    ).one()
    if begin is None or not _lists_all(run.dataset) or run.distinct_records + rejected < run.expected_records:
        return
    last_seen = registry.dataset(run.dataset).tables.last_seen.c
    conditions = [last_seen.inactive_since.is_(None), last_seen.observed_at < begin]
    if run.params:
        objects_of_runs = select(LOADED_OBJECT.c.id).join(RUN, RUN.c.run_id == LOADED_OBJECT.c.run_id)
        conditions.append(
            last_seen[PROVENANCE].in_(objects_of_runs.where(RUN.c.dataset == run.dataset, RUN.c.params == run.params))
        )
    count = connection.execute(
        update(registry.dataset(run.dataset).tables.last_seen).where(*conditions).values(inactive_since=begin)
    ).rowcount
    if count:
        log.info("records.inactive", dataset=run.dataset, run_id=run.run_id, records=count)


def deactivate_absent(connection: Connection, dataset: str) -> None:
    """Mark what the newest complete file of a snapshot did not have; its rejected records stay as they were.

    By the newest one, so that an older file that is loaded late brings nothing back.
    """
    newest = connection.execute(
        select(LOADED_OBJECT.c.key, LOADED_OBJECT.c.version, LOADED_OBJECT.c.observed_at)
        .where(
            LOADED_OBJECT.c.dataset == dataset,
            LOADED_OBJECT.c.key.startswith(UPLOADS_PREFIX),  # a replay has only some records of a file
            LOADED_OBJECT.c.is_last_batch,
        )
        .order_by(LOADED_OBJECT.c.observed_at.desc())
        .limit(1)
    ).one()
    last_seen = registry.dataset(dataset).tables.last_seen
    conditions = [last_seen.c.inactive_since.is_(None), last_seen.c.observed_at < newest.observed_at]
    rejected = _rejected_keys(connection, dataset, newest.key, newest.version)
    if rejected:
        conditions.append(tuple_(*last_seen.primary_key.columns).not_in(rejected))
    count = connection.execute(update(last_seen).where(*conditions).values(inactive_since=newest.observed_at)).rowcount
    if count:
        log.info("records.inactive", dataset=dataset, key=newest.key, records=count)


def _rejected_keys(connection: Connection, dataset: str, key: str, version: str) -> list[tuple[Any, ...]]:
    of_object = (QUARANTINE.c.dataset == dataset, QUARANTINE.c.key == key, QUARANTINE.c.version == version)
    columns = [*registry.dataset(dataset).tables.last_seen.primary_key.columns]
    texts = connection.scalars(
        select(QUARANTINE.c.natural_key).where(*of_object, QUARANTINE.c.natural_key.is_not(None))
    )
    return [values for text in texts if (values := natural_key.values(text, columns))]


def _lists_all(dataset: str) -> bool:
    if registry.dataset(dataset).is_snapshot:
        return True
    try:
        return registry.dataset(dataset).source.lists_all
    except PermanentError:  # a dataset without a source, loaded from files
        return False
