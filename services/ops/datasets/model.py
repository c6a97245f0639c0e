"""Views of a dataset's contract, and pending changes of its tables."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from shared.database import dataset_tables, read_access
from shared.datasets import consistency, registry
from shared.datasets.contract.document import Column, Table


@dataclass(frozen=True)
class Summary:
    """A line of the list."""

    name: str
    version: int | None  # None where the contract cannot be read
    tables: tuple[str, ...]
    source: str  # api, files, or what is wrong with the contract
    path: str


def summary(name: str) -> Summary:
    """Of one dataset."""
    dataset = registry.dataset(name)
    if faults := consistency.faults(name):
        return Summary(name, None, (), faults[0], str(dataset.path))
    contract = dataset.contract
    tables = tuple(table.name for table in contract.tables)
    return Summary(name, contract.version, tables, "api" if dataset.has_source else "files", str(dataset.path))


def pending(database: Engine, names: list[str]) -> list[dataset_tables.Change]:
    """Pending changes of the tables of these datasets, and of who may read them.

    Raises PermanentError for an invalid contract.
    """
    for name in names:
        consistency.check(name)
    with database.connect() as connection:
        return [*dataset_tables.changes(connection, names), *read_access.changes(connection, names)]


def described(name: str) -> dict[str, Any]:
    """A contract as JSON: tables, columns with their types and fields."""
    consistency.check(name)
    dataset = registry.dataset(name)
    return {
        "name": name,
        "version": dataset.version,
        "digest": dataset.digest,
        "path": str(dataset.path),
        "freshness_seconds": dataset.freshness,
        "tables": [_table(table) for table in dataset.contract.tables],
    }


def _table(table: Table) -> dict[str, Any]:
    return {"name": table.name, "columns": [_column(table, column) for column in table.columns]}


def _column(table: Table, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": str(column.type),
        "key": column.key,
        "required": column.required,
        "withheld": column.withheld,
        "field": None if column.computed else next(table.paths(column)),
        "description": column.description,
    }
