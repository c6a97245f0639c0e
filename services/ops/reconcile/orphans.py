"""Rows of child tables without their record: the database does not check these keys, the loader keeps them (ADR 36)."""

from sqlalchemy import Connection, Table, and_, exists, func, select

from shared.datasets import registry


def orphaned_rows(connection: Connection, dataset: str) -> dict[str, int]:
    """{child table: rows whose record is not in the root table}; tables without any are left out."""
    tables = registry.dataset(dataset).tables
    counted = {child.name: _count(connection, child, tables.root) for child in tables.children}
    return {name: rows for name, rows in counted.items() if rows}


def _count(connection: Connection, child: Table, root: Table) -> int:
    same_record = and_(*(child.c[key.name] == key for key in root.primary_key.columns))
    without = select(func.count()).select_from(child).where(~exists().where(same_record))
    return connection.scalar(without) or 0
