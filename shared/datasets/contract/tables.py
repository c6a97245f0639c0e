"""The SQLAlchemy tables of a contract."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from shared.datasets.contract import document
from shared.datasets.contract.column_types import ColumnType
from shared.datasets.contract.document import RECORD_ID, RESCUED, Contract, ContractError
from shared.datasets.silver_tables import METADATA, last_seen, provenance

TYPES: Mapping[str, Callable[[], TypeEngine[Any]]] = {
    "bigint": BigInteger,
    "boolean": Boolean,
    "bytea": LargeBinary,
    "date": Date,
    "double precision": Double,
    "integer": Integer,
    "jsonb": JSONB,
    "smallint": SmallInteger,
    "text": Text,
    "time": Time,
    "timestamp": DateTime,
    "timestamptz": lambda: DateTime(timezone=True),
    "uuid": lambda: Uuid(as_uuid=False),
}


def build(contract: Contract, metadata: MetaData = METADATA) -> tuple[Table, tuple[Table, ...], Table, Table | None]:
    """The root table, the child tables, the table of the newest observations, and that of the history if any."""
    columns = [_column(column) for column in contract.root.columns]
    if contract.options.disposition == "append":
        columns.insert(
            0, Column(RECORD_ID, Text, primary_key=True, comment="the object and the place of the record in it")
        )
    if contract.options.evolution != "report":
        columns.append(Column(RESCUED, JSONB, comment="fields that the contract does not declare: {path: value}"))
    root = _table(contract.root, metadata, [*columns, provenance()])
    children = tuple(_child(table, root, metadata) for table in contract.tables[1:])
    return root, children, last_seen(root), _history(root) if contract.options.disposition == "history" else None


def _table(table: document.Table, metadata: MetaData, columns: Iterable[Column[Any]]) -> Table:
    if f"{metadata.schema}.{table.name}" in metadata.tables:
        message = f"schema {table.name}: another dataset has a table of this name"
        raise ContractError(message)
    return Table(table.name, metadata, *columns, comment=table.description)


def _child(table: document.Table, root: Table, metadata: MetaData) -> Table:
    """A table whose rows belong to a record: one each, or those of a list in the order of the source."""
    keys: list[Column[Any]] = [
        Column(key.name, key.type, ForeignKey(key, ondelete="CASCADE"), primary_key=True)
        for key in root.primary_key.columns
    ]
    if table.is_list:
        keys.append(Column("ordinal", Integer, primary_key=True))
    return _table(table, metadata, [*keys, *map(_column, table.columns)])


def _history(root: Table) -> Table:
    """All versions of a record's row in the root table, each with the time of its observation and of the next one."""
    columns = [Column(column.name, column.type, nullable=not column.primary_key) for column in root.columns]
    valid = (Column(name, DateTime(timezone=True), nullable=name == "valid_to") for name in ("valid_from", "valid_to"))
    key = PrimaryKeyConstraint(*root.primary_key.columns.keys(), "valid_from")
    return Table(f"{root.name}_history", root.metadata, *columns, *valid, key)


def _column(column: document.Column) -> Column[Any]:
    return Column(
        column.name,
        _type(column.type),
        primary_key=column.key,
        autoincrement=False,
        nullable=not column.required,
        index=column.indexed or None,
        comment=column.description,
    )


def _type(kind: ColumnType) -> TypeEngine[Any]:
    own = Numeric(kind.precision, kind.scale) if kind.name == "numeric" else TYPES[kind.name]()
    return ARRAY(own) if kind.array else own
