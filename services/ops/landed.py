"""What is in the database: rows of every table of every dataset."""

from sqlalchemy import Connection, func, select

from shared.datasets import contract


def rows(connection: Connection) -> dict[str, dict[str, int]]:
    """{dataset: {table: rows}}, root tables first."""
    return {
        dataset: {
            f"{table.schema}.{table.name}": connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (contract.tables(dataset).ROOT, *contract.tables(dataset).CHILDREN)
        }
        for dataset in contract.names()
    }
