"""What is in the tables: a digest that does not depend on the order of rows, nor on who loaded them when."""

from dataclasses import dataclass

from sqlalchemy import Column, Connection, DateTime, Table, text

from bench.workload import DATASET
from shared.datasets import registry

# Where and when a row was seen is another matter than what it says.
PROVENANCE = {"object_id", "source_key_hash", "sequencer"}


@dataclass(frozen=True)
class Contents:
    """Rows of all tables together, postings among them, and a digest of all content; empty if it cannot be compared."""

    postings: int
    rows: int
    digest: str


def contents(connection: Connection) -> Contents:
    """Of the dataset's tables."""
    tables = registry.dataset(DATASET).tables
    found = {table: _digest(connection, table) for table in (tables.root, *tables.children, tables.last_seen)}
    return Contents(
        postings=found[tables.root][0],
        rows=sum(rows for rows, _ in found.values()),
        digest=f"{sum(digest for _, digest in found.values()) % 2**128:032x}",
    )


def _digest(connection: Connection, table: Table) -> tuple[int, int]:
    """Rows, and the sum of the first 60 bits of every row's md5."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns if _is_content(column))
    row = f"('x' || left(md5('{table.name}' || row({columns})::text), 15))::bit(60)::bigint"
    query = f"select count(*), coalesce(sum({row}), 0)::text from {table.fullname}"  # noqa: S608 - our own names
    rows, digest = connection.execute(text(query)).one()
    return rows, int(digest)


def _is_content(column: Column[object]) -> bool:
    """Moments with a time zone are ours; the source's dates have none."""
    ours = isinstance(column.type, DateTime) and column.type.timezone
    return not ours and column.name not in PROVENANCE
