"""Columns for fields that the contract does not declare (`evolution: evolve`, ADR 41).

The batch has such fields in `_rescued`, {path: value}. Loading it moves them to the columns of `ops.evolved_column`.
Where a column is missing or too narrow, loading stops, a transaction of its own changes the tables, and loading starts
again.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import polars as pl
import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column, Connection, Engine, MetaData, Table, Text, func, inspect, select, text
from sqlalchemy.dialects.postgresql import insert

from services.loader import evolved_types
from services.loader.evolved_types import TYPES, common_type
from shared.database.migrate import MIGRATION_LOCK
from shared.database.ops_tables import EVOLVED_COLUMN
from shared.datasets import registry
from shared.datasets.contract.document import RESCUED
from shared.datasets.dataset import Tables
from shared.datasets.identifiers import identifier

log = structlog.get_logger()

MAX_COLUMNS = 100  # added to a dataset; a source with generated field names must not fill the table
MAX_PATH = 200  # characters; longer paths stay in `_rescued`
LOCK_TIMEOUT = "5s"  # queries of the table queue behind a change that waits for its lock
IN_LIST = re.compile(r"\[\d+\]")  # fields of a list's items, of which a record has many
PRESENT = text("""
    select path, column_name, format_type(atttypid, null)
    from ops.evolved_column join pg_attribute on attrelid = cast(:table as regclass) and attname = column_name
    where dataset = :dataset and not attisdropped order by path
""")


class ColumnsNeededError(Exception):
    """A batch has fields without a column, or with one too narrow; `types` is {path: type}."""

    def __init__(self, dataset: str, types: Mapping[str, str], source: str = "") -> None:
        super().__init__(f"{dataset}: {', '.join(types)}")
        self.dataset, self.types, self.source = dataset, types, source


@dataclass(frozen=True)
class EvolvedColumn:
    """A column for the field at a path."""

    name: str
    type: str


def expand(connection: Connection, dataset: str, frame: pl.DataFrame) -> tuple[Tables, pl.DataFrame]:
    """The tables with their evolved columns, and the frame with the values of these. Raises ColumnsNeededError."""
    tables = registry.dataset(dataset).tables
    columns = columns_of(connection, dataset)
    documents = [None if value is None else evolved_types.decode(value) for value in frame.get_column(RESCUED)]
    needed = _needed(columns, [document for document in documents if document])
    if needed:
        raise ColumnsNeededError(dataset, needed)
    if not columns:
        return tables, frame
    values = [_texts(columns, document) for document in documents]
    texts = pl.DataFrame(values, {column.name: pl.String for column in columns.values()}, orient="row")
    rescued = pl.Series(RESCUED, map(evolved_types.encode, (document or {} for document in documents)), pl.String)
    evolved = _with_columns(tables, tuple(column.name for column in columns.values()))
    return evolved, frame.with_columns(rescued).hstack(texts)


def _texts(columns: Mapping[str, EvolvedColumn], document: dict[str, Any] | None) -> list[str | None]:
    """The values of all columns, taken out of the document."""
    if not document:
        return [None] * len(columns)
    return [evolved_types.value_text(document.pop(path, None)) for path in columns]


def columns_of(connection: Connection, dataset: str) -> dict[str, EvolvedColumn]:
    """{path: column}, of columns that the root table has and the contract does not declare."""
    root = registry.dataset(dataset).tables.root
    rows = connection.execute(PRESENT, {"dataset": dataset, "table": root.fullname})
    return {path: EvolvedColumn(name, kind) for path, name, kind in rows if name not in root.columns}


def _needed(columns: Mapping[str, EvolvedColumn], documents: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """{path: type} of columns to add or to widen. Columns beyond the limit are not added."""
    types: dict[str, set[str]] = defaultdict(set)
    for document in documents:
        for path, value in document.items():
            if evolved_types.value_text(value) is not None and _may_be_column(path):
                types[path].add(evolved_types.value_type(value))
    wider = {
        path: wanted
        for path, column in columns.items()
        if path in types and (wanted := common_type([column.type, *sorted(types[path])])) != column.type
    }
    new = sorted(types.keys() - columns.keys())[: max(0, MAX_COLUMNS - len(columns))]
    return wider | {path: common_type(sorted(types[path])) for path in new}


def _may_be_column(path: str) -> bool:
    return len(path) <= MAX_PATH and not IN_LIST.search(path)


@cache
def _with_columns(tables: Tables, names: tuple[str, ...]) -> Tables:
    """The tables with these columns in the root. COPY reads their values as texts, whatever their types."""
    root = tables.root.to_metadata(MetaData(schema=tables.root.schema))
    for name in names:
        root.append_column(Column(name, Text))
    return replace(tables, root=root)


def add_columns(engine: Engine, needed: ColumnsNeededError) -> None:
    """Add and widen columns in a transaction of its own, alone among all migrators. Idempotent.

    Other loaders wait for at most the lock timeout. Raises DBAPIError where a lock is not available in that time.
    """
    with engine.begin() as connection:
        connection.execute(text(f"set local lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(MIGRATION_LOCK))
        for path, kind in needed.types.items():
            _add_or_widen(connection, needed.dataset, path, kind, needed.source)


def _add_or_widen(connection: Connection, dataset: str, path: str, kind: str, key: str) -> None:
    columns = columns_of(connection, dataset)
    change = Operations(MigrationContext.configure(connection))
    if (column := columns.get(path)) is None:
        if len(columns) >= MAX_COLUMNS:
            return
        name = _name(connection, dataset, path)
        for table in _tables(dataset):
            added = Column(name, TYPES[kind](), comment=f"field {path}, added by smelt")
            change.add_column(table.name, added, schema=table.schema)
        _record(connection, dataset, path, EvolvedColumn(name, kind), key)
        log.info("column.added", dataset=dataset, path=path, column=name, type=kind, key=key)
    elif (wider := common_type((column.type, kind))) != column.type:
        own = f'"{column.name}"'
        using = evolved_types.TEXTS.get(column.type, f"{{column}}::{wider}").format(column=own)
        for table in _tables(dataset):
            change.alter_column(
                table.name, column.name, type_=TYPES[wider](), postgresql_using=using, schema=table.schema
            )
        _record(connection, dataset, path, EvolvedColumn(column.name, wider), key)
        log.info("column.widened", dataset=dataset, path=path, column=column.name, type=wider, key=key)


def _tables(dataset: str) -> Iterator[Table]:
    """The tables that have a record's own columns."""
    tables = registry.dataset(dataset).tables
    yield tables.root
    if tables.history is not None:
        yield tables.history


def _name(connection: Connection, dataset: str, path: str) -> str:
    """A column name for a path that no table or column of the dataset has, declared or not."""
    tables = registry.dataset(dataset).tables
    inspector = inspect(connection)
    used = {column["name"] for column in inspector.get_columns(tables.root.name, tables.root.schema)}
    others = select(EVOLVED_COLUMN.c.column_name).where(
        EVOLVED_COLUMN.c.dataset == dataset, EVOLVED_COLUMN.c.path != path
    )
    used |= set(connection.scalars(others))
    return identifier(path, used | {child.name for child in tables.children})


def _record(connection: Connection, dataset: str, path: str, column: EvolvedColumn, key: str) -> None:
    statement = insert(EVOLVED_COLUMN).values(
        dataset=dataset, path=path, column_name=column.name, type=column.type, first_object=key
    )
    newer = {"column_name": column.name, "type": column.type, "widened_at": func.now()}
    connection.execute(statement.on_conflict_do_update(index_elements=["dataset", "path"], set_=newer))
