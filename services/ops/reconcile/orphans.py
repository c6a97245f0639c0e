"""Child rows without their record. The database does not enforce these keys; the loader maintains them (ADR 36)."""

from sqlalchemy import Connection, Table, and_, exists, func, select

from shared.datasets import registry


def orphaned_rows(connection: Connection, dataset: str) -> dict[str, int]:
    """{child table: number of orphaned rows}, without tables that have none."""
    tables = registry.dataset(dataset).tables
    counted = {child.name: _count(connection, child, tables.root) for child in tables.children}
    return {name: rows for name, rows in counted.items() if rows}


def _count(connection: Connection, child: Table, root: Table) -> int:
    same_record = and_(*(child.c[key.name] == key for key in root.primary_key.columns))
    without = select(func.count()).select_from(child).where(~exists().where(same_record))
    return connection.scalar(without) or 0
