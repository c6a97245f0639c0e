"""Derives tables and columns from a sample of records.

Objects are flattened, and lists of objects are child tables. A list of objects inside of one is kept as JSON.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from infra.authoring.value_types import ValueType, value_type
from shared.datasets.identifiers import identifier

Record = Mapping[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column with its field's values, one a row."""

    name: str
    path: Path
    type: ValueType
    values: Sequence[Any]

    @property
    def nulls(self) -> int:
        """The number of rows without a value."""
        return sum(value is None or (isinstance(value, str) and not value.strip()) for value in self.values)


@dataclass(frozen=True)
class Table:
    """A table; `path` leads to its list, and is empty for the record itself."""

    name: str
    path: Path
    columns: Sequence[Column]
    rows: int


@dataclass(frozen=True)
class _Field:
    path: Path
    values: Sequence[Any]
    is_list_of_objects: bool = False


def tables(name: str, records: Sequence[Record], *, texts: bool = False) -> list[Table]:
    """The root table first. `texts`: numbers are texts, as in CSV."""
    fields = [*_fields(records, ())]
    root = _table(name, (), [field for field in fields if not field.is_list_of_objects], len(records), texts=texts)
    children = []
    used = {name, *(column.name for column in root.columns)}
    for field in fields:
        if field.is_list_of_objects:
            child = identifier(f"{name}_{'_'.join(field.path)}", used)
            used.add(child)
            children.append(_child(child, field))
    return [root, *children]


def without_names(table: Table, names: Sequence[str]) -> Table:
    """Rename columns whose names are those of the key, which every child table has."""
    used = {*names, *(column.name for column in table.columns)}
    columns = [
        replace(column, name=identifier(f"{table.path[-1]}_{column.name}", used)) if column.name in names else column
        for column in table.columns
    ]
    return replace(table, columns=columns)


def _child(name: str, field: _Field) -> Table:
    items = [item for value in field.values for item in value or ()]
    return _table(name, field.path, [*_fields(items, ())], len(items), texts=False)


def _table(name: str, path: Path, fields: Sequence[_Field], rows: int, *, texts: bool) -> Table:
    wrapper, columns, used = _wrapper(fields), list[Column](), set[str]()
    for field in sorted(fields, key=lambda field: len(field.path)):
        own = field.path[1:] if wrapper and field.path[0] == wrapper else field.path
        column = identifier("_".join(own))
        column = identifier("_".join(field.path), used) if column in used else column
        used.add(column)
        columns.append(Column(column, field.path, value_type(field.values, field.path[-1], texts=texts), field.values))
    order = [field.path for field in fields]
    return Table(name, path, sorted(columns, key=lambda column: order.index(column.path)), rows)


def _wrapper(fields: Sequence[_Field]) -> str | None:
    """The object with most of the fields, such as GeoJSON's `properties`; its name is left out of column names."""
    tops = [field.path[0] for field in fields if len(field.path) > 1]
    return next((top for top in dict.fromkeys(tops) if 2 * tops.count(top) > len(fields)), None)


def _fields(records: Sequence[Record | None], path: Path) -> Iterator[_Field]:
    """Every field below a path, in the order of their first appearance."""
    names = dict.fromkeys(name for record in records for name in record or ())
    for name in names:
        values = [(record or {}).get(name) for record in records]
        present = [value for value in values if value is not None and value != []]
        if present and any(present) and all(isinstance(value, dict) for value in present):
            yield from _fields([value or None for value in values], (*path, name))
        elif present and all(map(_is_list_of_objects, present)) and not any("." in part for part in (*path, name)):
            yield _Field((*path, name), values, is_list_of_objects=True)
        else:
            yield _Field((*path, name), values)


def _is_list_of_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)
