"""The differences between the tables of datasets and their contracts, and the changes that end them.

A contract only ever adds: tables, columns, indexes, wider types, comments. What the database has or allows beyond it
stays: more columns, wider types, null values. So an older version of a contract works beside a newer one, and the
checks enforce what a contract requires.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, Connection, Double, Integer, Numeric, SmallInteger, Text
from sqlalchemy.types import TypeEngine

from shared.datasets import registry
from shared.datasets.silver_tables import DIALECT, METADATA
from shared.errors import PermanentError

WHOLE = {SmallInteger: 16, BigInteger: 64, Integer: 32}  # {type: bits}; the first two are subclasses of the last
DECIMALS = {16: 5, 32: 10, 64: 19}  # {bits: decimal digits}
OPTIONAL = {
    ops.CreateIndexOp: "new index",
    ops.CreateTableCommentOp: "new comment",
    ops.DropTableCommentOp: "comment is dropped",
}
KEPT = (ops.DropColumnOp, ops.DropIndexOp, ops.DropTableOp, ops.DropConstraintOp)


@dataclass(frozen=True)
class Change:
    """One change of a table. The text of a refused one has the reason; workers do not start without the needed ones."""

    table: str
    text: str
    operation: ops.MigrateOperation
    is_refused: bool = False
    is_needed: bool = True


def changes(connection: Connection, datasets: Iterable[str] | None = None) -> list[Change]:
    """Pending changes of the tables of datasets (by default all), in the order in which to apply them."""
    wanted = {table.name for name in datasets or registry.names() for table in registry.dataset(name).tables.all}
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == METADATA.schema,
            "include_object": lambda _, name, kind, *__: kind != "table" or name in wanted,
            "compare_type": _differ,
        },
    )
    script = produce_migrations(context, METADATA)
    assert script.upgrade_ops is not None  # noqa: S101 - it has just been made
    return [change for operation in _flat(script.upgrade_ops.ops) if (change := _change(operation))]


def apply(connection: Connection, changes: Iterable[Change]) -> None:
    """Make the changes in the transaction of the connection. Raises PermanentError where one of them is refused."""
    changes = list(changes)
    if refused := [f"{change.table}: {change.text}" for change in changes if change.is_refused]:
        raise PermanentError("; ".join(refused))
    operations = Operations(MigrationContext.configure(connection))
    for change in changes:
        operations.invoke(change.operation)


def _flat(operations: Iterable[ops.MigrateOperation]) -> Iterator[ops.MigrateOperation]:
    for operation in operations:
        if isinstance(operation, ops.OpContainer):
            yield from _flat(operation.ops)
        else:
            yield operation


def _change(operation: Any) -> Change | None:
    if isinstance(operation, KEPT):
        return None
    table = str(getattr(operation, "table_name", ""))
    match operation:
        case ops.CreateTableOp():
            return Change(table, "new table", operation)
        case ops.AddColumnOp():
            return _added(operation)
        case ops.AlterColumnOp():
            return _altered(operation)
        case ops.CreateIndexOp() | ops.CreateTableCommentOp() | ops.DropTableCommentOp():
            return Change(table, OPTIONAL[type(operation)], operation, is_needed=False)
    return Change(table, f"{type(operation).__name__} is not done by smelt", operation, is_refused=True)


def _added(operation: ops.AddColumnOp) -> Change:
    column = operation.column
    text = f"new column {column.name} {column.type.compile(DIALECT)}"
    if column.nullable:
        return Change(operation.table_name, text, operation)
    text = f"{text} is required: rows that are there have no value of it. Add it without `required`, or to a new table"
    return Change(operation.table_name, text, operation, is_refused=True)


def _altered(operation: ops.AlterColumnOp) -> Change | None:
    old, new = operation.existing_type, operation.modify_type
    if new is not None and old is not None and _is_wider(new, old):
        new = operation.modify_type = None
    operation.modify_nullable = operation.modify_nullable or None
    operation.kw.pop("autoincrement", None)  # Alembic sets it, and warns of it
    table, name = operation.table_name, operation.column_name
    if new is not None and old is not None:
        operation.kw["postgresql_using"] = f'"{name}"::{new.compile(DIALECT)}'
        text = f"column {name} from {old.compile(DIALECT)} to {new.compile(DIALECT)}"
        if _is_wider(old, new):
            return Change(table, text, operation)
        return Change(table, f"{text} may lose values: give the new type another column", operation, is_refused=True)
    if operation.modify_nullable:
        return Change(table, f"column {name} is no longer required", operation)
    if operation.modify_comment is not False:
        return Change(table, f"new comment of column {name}", operation, is_needed=False)
    return None


def _differ(_: Any, __: Any, ___: Any, existing: TypeEngine[Any], wanted: TypeEngine[Any]) -> bool:
    return existing.compile(DIALECT) != wanted.compile(DIALECT)


def _is_wider(old: TypeEngine[Any], new: TypeEngine[Any]) -> bool:
    """Whether the new type has every value of the old one."""
    if isinstance(new, Text):
        return not isinstance(old, Text)
    if _is_exact(new):
        before, after = _digits(old), _digits(new)
        return bool(before and after) and before[0] <= after[0] and before[1] <= after[1]
    return 0 < _bits(old) < _bits(new)


def _digits(kind: TypeEngine[Any]) -> tuple[float, ...]:
    """Decimal digits before and after the point, of integers and exact numbers; empty for other types."""
    if _is_exact(kind):
        return (math.inf, math.inf) if kind.precision is None else (kind.precision - (kind.scale or 0), kind.scale or 0)
    return (DECIMALS[_bits(kind)], 0) if _bits(kind) else ()


def _is_exact(kind: TypeEngine[Any]) -> TypeGuard[Numeric[Any]]:
    return isinstance(kind, Numeric) and not isinstance(kind, Double)


def _bits(kind: TypeEngine[Any]) -> int:
    """Of an integer; 0 for other types."""
    return next((bits for whole, bits in WHOLE.items() if isinstance(kind, whole)), 0)
