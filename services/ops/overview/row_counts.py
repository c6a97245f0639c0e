"""Row counts of all datasets' tables."""

from sqlalchemy import Connection, func, inspect, select

from shared.datasets import registry
from shared.datasets.silver_tables import METADATA


def rows(connection: Connection) -> dict[str, dict[str, int]]:
    """{dataset: {table: rows}}, root tables first. Tables without a migration are skipped."""
    existing = set(inspect(connection).get_table_names(METADATA.schema))
    return {
        dataset: {
            f"{table.schema}.{table.name}": connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (registry.dataset(dataset).tables.root, *registry.dataset(dataset).tables.children)
            if table.name in existing
        }
        for dataset in registry.names()
    }
