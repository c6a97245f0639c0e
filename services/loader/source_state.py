"""Advances the state of an incremental source when a run of it is complete."""

from collections.abc import Iterator
from typing import Any

import structlog
from sqlalchemy import Connection, Row, func, select, update

from shared.database import source_state
from shared.database.ops_tables import LOADED_OBJECT, RUN, SOURCE_STATE
from shared.datasets import registry
from shared.datasets.contract.cursor import Cursor, Value
from shared.errors import PermanentError
from shared.formats.run_plan import RunStart
from shared.formats.silver import RuleWarning

log = structlog.get_logger()

RULE = "source_state"


def advance(connection: Connection, run: Row[Any]) -> Iterator[RuleWarning]:
    """Set the state to the run's largest cursor, unless it is there already; yields why it cannot.

    Only a run that began from the state counts, as of others it is unknown what lies between. It must have as many
    records as the source announced.
    """
    cursor = registry.dataset(run.dataset).cursor
    if cursor is None or run.start is None:
        return
    try:
        problem = _advance(connection, run, cursor)
    except PermanentError as error:  # the contract has another kind of cursor than the run
        problem = str(error)
    if problem:
        log.warning("state.not_advanced", dataset=run.dataset, run_id=run.run_id, why=problem)
        message = f"{problem}; the state stays as it is"[:1_000]
        yield RuleWarning(rule=RULE, field=".".join(cursor.path), message=message, records=0)


def _advance(connection: Connection, run: Row[Any], cursor: Cursor) -> str | None:
    """The reason if the state stays."""
    own = LOADED_OBJECT.c.run_id == run.run_id
    begin, rejected, records = connection.execute(
        select(
            func.min(LOADED_OBJECT.c.observed_at),
            func.coalesce(func.sum(LOADED_OBJECT.c.quarantined), 0),
            func.coalesce(func.sum(LOADED_OBJECT.c.read), 0),
        ).where(own)
    ).one()
    if run.distinct_records + rejected < run.expected_records:
        return f"{run.distinct_records + rejected} of {run.expected_records} announced records are on the pages"
    texts = connection.scalars(
        select(LOADED_OBJECT.c.cursor).where(own, LOADED_OBJECT.c.cursor.is_not(None)).distinct()
    )
    values = [cursor.parse(text) for text in texts]
    if not values:
        return "no record has a cursor" if records else None
    newest: Value = cursor.capped(max(values), begin)
    return _raise(connection, run, cursor, newest)


def _raise(connection: Connection, run: Row[Any], cursor: Cursor, newest: Value) -> str | None:
    started = RunStart.model_validate(run.start)
    state = source_state.locked(connection, run.dataset, run.params)
    if started.generation < state.generation:
        return "an operator has set the state since this run began"
    is_current = started.generation == state.generation  # a later generation was lost with the database
    if is_current and state.cursor is not None and cursor.parse(state.cursor) >= newest:
        return None
    values = {"cursor": cursor.to_text(newest), "run_id": run.run_id, "generation": started.generation}
    of_scope = (SOURCE_STATE.c.dataset == run.dataset, SOURCE_STATE.c.params == run.params)
    connection.execute(update(SOURCE_STATE).where(*of_scope).values(**values, changed_at=func.now()))
    log.info("state.advanced", dataset=run.dataset, run_id=run.run_id, cursor=values["cursor"])
    return None


def scope_of(connection: Connection, run_id: str) -> tuple[str, dict[str, str]] | None:
    """Dataset and params of the state that this run may have advanced; None while it is incomplete."""
    complete = (RUN.c.run_id == run_id, RUN.c.completed_at.is_not(None), RUN.c.start.is_not(None))
    row = connection.execute(select(RUN.c.dataset, RUN.c.params).where(*complete)).one_or_none()
    return (row.dataset, row.params) if row else None
