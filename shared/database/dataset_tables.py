"""What the tables of datasets lack of what their contracts say, and the change that adds it.

A contract only ever adds: tables, columns, indexes, wider types, comments. What the database has beyond it stays.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from alembic.autogenerate import produce_migrations
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy import BigInteger, Connection, Integer, Numeric, SmallInteger, Text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.types import TypeEngine

from shared.datasets import registry
from shared.datasets.silver_tables import METADATA
from shared.errors import PermanentError

DIALECT = PGDialect()  # type: ignore[no-untyped-call]
WHOLE = (SmallInteger, Integer, BigInteger)  # each holds the values of those before it
OPTIONAL = {
    ops.CreateIndexOp: "new index",
    ops.CreateTableCommentOp: "new comment",
    ops.DropTableCommentOp: "comment is dropped",
}
KEPT = (ops.DropColumnOp, ops.DropIndexOp, ops.DropTableOp, ops.DropConstraintOp)


@dataclass(frozen=True)
class Change:
    """One change of a table. A refused one says why in its text; workers wait for a needed one."""

    table: str
    text: str
    operation: ops.MigrateOperation
    is_refused: bool = False
    is_needed: bool = True


def changes(connection: Connection, datasets: Iterable[str] | None = None) -> list[Change]:
    """What is to be done to the tables of datasets, by default of all; in an order in which it can be done."""
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


def _altered(operation: ops.AlterColumnOp) -> Change:
    table, name = operation.table_name, operation.column_name
    old, new = operation.existing_type, operation.modify_type
    if new is not None and old is not None:
        text = f"column {name} from {old.compile(DIALECT)} to {new.compile(DIALECT)}"
        operation.kw["postgresql_using"] = f'"{name}"::{new.compile(DIALECT)}'
        if _is_wider(old, new):
            return Change(table, text, operation)
        return Change(table, f"{text} may lose values: give the new type another column", operation, is_refused=True)
    if operation.modify_nullable is False:
        return Change(
            table, f"column {name} becomes required: rows may have no value of it", operation, is_refused=True
        )
    if operation.modify_nullable:
        return Change(table, f"column {name} is no longer required", operation)
    return Change(table, f"new comment of column {name}", operation, is_needed=False)


def _differ(_: Any, __: Any, ___: Any, existing: TypeEngine[Any], wanted: TypeEngine[Any]) -> bool:
    return existing.compile(DIALECT) != wanted.compile(DIALECT)


def _is_wider(old: TypeEngine[Any], new: TypeEngine[Any]) -> bool:
    if isinstance(new, Text) and not isinstance(old, Text):
        return True
    if isinstance(old, Numeric) and isinstance(new, Numeric) and old.precision and new.precision:
        whole = (new.precision - (new.scale or 0)) - (old.precision - (old.scale or 0))
        return whole >= 0 and (new.scale or 0) >= (old.scale or 0)
    order = {kind: n for n, kind in enumerate(WHOLE)}
    return type(old) in order and type(new) in order and order[type(old)] < order[type(new)]  # type: ignore[index]
