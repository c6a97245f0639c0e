"""Records that a complete run of their scope did not bring any more. Seen again, they are active again."""

from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select, update

from shared.database.ops_tables import LOADED_OBJECT, RUN
from shared.datasets import registry
from shared.datasets.silver_tables import PROVENANCE
from shared.errors import PermanentError

log = structlog.get_logger()


def deactivate_missing(connection: Connection, run: Row[Any]) -> None:
    """Mark what was last seen before the run began: everything for a run of all, else what runs of the same params saw.

    The times compared are those of the source's own clock. A run that did not cover what the source announced marks
    nothing.
    """
    begin, rejected = connection.execute(
        select(func.min(LOADED_OBJECT.c.observed_at), func.sum(LOADED_OBJECT.c.quarantined)).where(
            LOADED_OBJECT.c.run_id == run.run_id
        )
    ).one()
    if begin is None or not _lists_all(run.dataset) or run.distinct_records + rejected < run.expected_records:
        return
    seen = registry.dataset(run.dataset).tables.last_seen.c
    gone = [seen.inactive_since.is_(None), seen.observed_at < begin]
    if run.params:
        alike = select(LOADED_OBJECT.c.id).join(RUN, RUN.c.run_id == LOADED_OBJECT.c.run_id)
        gone.append(seen[PROVENANCE].in_(alike.where(RUN.c.dataset == run.dataset, RUN.c.params == run.params)))
    marked = connection.execute(
        update(registry.dataset(run.dataset).tables.last_seen).where(*gone).values(inactive_since=begin)
    ).rowcount
    if marked:
        log.info("records.inactive", dataset=run.dataset, run_id=run.run_id, records=marked)


def _lists_all(dataset: str) -> bool:
    try:
        return registry.dataset(dataset).source.lists_all
    except PermanentError:  # it is loaded from files
        return False
