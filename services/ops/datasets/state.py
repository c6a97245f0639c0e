"""The state of incremental sources: how far their complete runs have come."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update

from services.ops.connections import Connections
from services.ops.operator_log import record_action
from shared.database import source_state
from shared.database.ops_tables import SOURCE_STATE
from shared.datasets import registry
from shared.datasets.contract.cursor import Cursor
from shared.errors import PermanentError
from shared.formats.source_state import SourceState, read
from shared.storage import object_keys, objects

MAX_BYTES = 1 << 16  # of the object
KIND, VERB = "source_state", "set"  # in the operator log


@dataclass(frozen=True)
class StateView:
    """A state, and what the next run requests; `is_published` says whether the extractor has it.

    `next_start` is empty for everything, and None if the contract no longer has such a cursor.
    """

    dataset: str
    params: Mapping[str, str]
    cursor: str | None
    next_start: str | None
    run_id: str | None
    changed_at: datetime
    is_published: bool


def cursor_of(dataset: str) -> Cursor:
    """The dataset's cursor. Raises PermanentError for a source that is not incremental."""
    registry.check_name(dataset)
    cursor = registry.dataset(dataset).cursor
    if cursor is None:
        message = f"dataset {dataset} has no incremental source (docs/sources.md)"
        raise PermanentError(message)
    return cursor


def states(connections: Connections, datasets: Iterable[str]) -> Iterator[StateView]:
    """The states of these datasets; those without an incremental source have none."""
    order = (SOURCE_STATE.c.dataset, SOURCE_STATE.c.params)
    with connections.database.connect() as connection:
        rows = connection.execute(
            select(SOURCE_STATE).where(SOURCE_STATE.c.dataset.in_(list(datasets))).order_by(*order)
        )
        for row in rows.all():
            copy = _copy(connections, row.dataset, row.params)
            is_published = copy is not None and (copy.generation, copy.cursor) == (row.generation, row.cursor)
            start = _start(row.dataset, row.cursor)
            yield StateView(row.dataset, row.params, row.cursor, start, row.run_id, row.changed_at, is_published)


def set_state(connections: Connections, dataset: str, params: Mapping[str, str], value: str | None) -> None:
    """Set the state, or reset it with None. Runs that have begun before do not change it any more.

    Raises PermanentError for a value that is no cursor, and for params that the source does not have.
    """
    cursor = cursor_of(dataset)
    text = None if value is None else cursor.to_text(cursor.parse(value))
    if cursor.param in registry.dataset(dataset).source.checked(params):
        message = f"{cursor.param} is what the state is of: give its value by --set"
        raise PermanentError(message)
    filter_ = {"dataset": dataset, "params": dict(params), "cursor": text}
    with record_action(connections.database, KIND, VERB, filter_, 1) as result:
        with connections.database.begin() as connection:
            row = source_state.locked(connection, dataset, params)
            of_scope = (SOURCE_STATE.c.dataset == dataset, SOURCE_STATE.c.params == dict(params))
            values = {"cursor": text, "run_id": None, "generation": row.generation + 1, "changed_at": func.now()}
            connection.execute(update(SOURCE_STATE).where(*of_scope).values(**values))
        with connections.database.begin() as connection:
            source_state.publish(connection, connections.s3, connections.settings.bucket, dataset, params)
        result.done = 1


def _start(dataset: str, state: str | None) -> str | None:
    try:
        return cursor_of(dataset).start(state)
    except PermanentError:
        return None


def _copy(connections: Connections, dataset: str, params: Mapping[str, str]) -> SourceState | None:
    stored = objects.newest(connections.s3, connections.settings.bucket, object_keys.state_key(dataset, params))
    return read(objects.get(connections.s3, stored, MAX_BYTES).body) if stored else None
