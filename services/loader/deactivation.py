"""Deactivates records that a complete run of their scope no longer contains. They become active when observed again."""

from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select, update

from shared.database.ops_tables import LOADED_OBJECT, RUN
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


def _lists_all(dataset: str) -> bool:
    if registry.dataset(dataset).is_snapshot:
        return True
    try:
        return registry.dataset(dataset).source.lists_all
    except PermanentError:  # a dataset without a source, loaded from files
        return False
