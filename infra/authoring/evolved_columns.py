"""The columns that the loader added to a dataset (`evolution: evolve`)."""

from collections.abc import Sequence

from sqlalchemy import select

from services.ops.connections import connect
from shared.database.ops_tables import EVOLVED_COLUMN


def of_dataset(dataset: str) -> Sequence[tuple[str, str, str]]:
    """(path, name, type), in the order in which they were added."""
    columns = EVOLVED_COLUMN.c
    query = select(columns.path, columns.column_name, columns.type).where(columns.dataset == dataset)
    with connect().database.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(columns.added_at, columns.path))]
