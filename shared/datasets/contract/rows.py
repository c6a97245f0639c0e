"""From a validated record to the rows of all tables."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import BaseModel

from shared.datasets.contract.document import Contract, Table
from shared.datasets.contract.record_model import attribute

Objects = tuple[tuple[str, ...], ...]  # attributes that lead to each object with fields of a table


def builder(contract: Contract) -> Callable[[BaseModel], dict[str, Any]]:
    """The function that makes rows, of columns and child rows only: objects kept in them would live as long."""
    nested = _nested(contract)
    root = _objects(contract.root)
    single = {table.name: _objects(table) for table in contract.tables[1:] if not table.is_list}
    lists = [
        (table.name, tuple(map(attribute, table.path[:-1])), _objects(table))
        for table in contract.tables
        if table.is_list
    ]

    def build(record: BaseModel) -> dict[str, Any]:
        row = _merged(record, root, nested)
        for name, objects in single.items():
            row[name] = [_merged(record, objects, nested)]
        for name, above, objects in lists:
            row[name] = _numbered(_at(record, above).__dict__[name], objects, nested)
        return row

    return build


def _nested(contract: Contract) -> tuple[str, ...]:
    """The attributes of objects that hold others' fields, which come along when an object's fields are merged."""
    columns = (column.path[:-1] for table in contract.tables for column in table.columns)
    above = (table.path[:-1] for table in contract.tables if table.is_list)
    return tuple({attribute(name) for path in (*columns, *above) for name in path})


def _objects(table: Table) -> Objects:
    """In the order of their columns, each once."""
    paths = (tuple(map(attribute, column.path[:-1])) for column in table.columns if not column.computed)
    return tuple(dict.fromkeys(paths))


def _merged(record: BaseModel, objects: Objects, nested: tuple[str, ...]) -> dict[str, Any]:
    first, *others = objects or ((),)
    row: dict[str, Any] = _at(record, first).__dict__.copy()
    for path in others:
        row.update(_at(record, path).__dict__)
    for name in nested:
        row.pop(name, None)
    return row


def _at(record: BaseModel, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.__dict__[name]
    return record


def _numbered(items: Iterable[BaseModel], objects: Objects, nested: tuple[str, ...]) -> list[dict[str, Any]]:
    """In the order of the source. Repeats are kept: two vacancies in one town are two entries."""
    if objects == ((),):
        return [{"ordinal": n, **item.__dict__} for n, item in enumerate(items, start=1)]
    return [{"ordinal": n, **_merged(item, objects, nested)} for n, item in enumerate(items, start=1)]
