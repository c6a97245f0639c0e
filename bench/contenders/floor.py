"""The floor: COPY of rows that were prepared before, into the same tables with the same indexes."""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Table, text

from bench.contents import Contents, contents
from bench.stack import Rig
from bench.workload import COLD, DATASET, Fetch
from shared.datasets import registry

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, in small letters

Prepared = dict[str, bytes]  # of one silver object, {table: its rows as COPY reads them}


class Floor:
    """A silver object a transaction. It neither parses nor validates, keeps no ledger and can load nothing twice."""

    name = "the floor"
    phases = frozenset({COLD})

    def __init__(self, rig: Rig, batches: Sequence[Prepared]) -> None:
        self._rig, self._batches = rig, batches

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With empty tables."""
        self._rig.empty()
        yield

    def load(self, _fetch: Fetch) -> None:
        """The rows of that very run, which were prepared."""
        for batch in self._batches:
            with self._rig.engine.begin() as connection, _cursor(connection) as cursor:
                for table, rows in batch.items():
                    cursor.copy_expert(f"copy {table} from stdin", io.BytesIO(rows))

    def cpu(self) -> float:
        """Of this process."""
        return time.process_time()

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)


def prepared(rig: Rig) -> list[Prepared]:
    """What the tables hold now, object by object as it was loaded, in the order of keys."""
    tables = registry.dataset(DATASET).tables
    with rig.engine.connect() as connection:
        ids = connection.scalars(text(f"select distinct object_id from {tables.root.fullname} order by 1")).all()  # noqa: S608
        everything = (tables.root, *tables.children, tables.last_seen)
        return [{table.fullname: _rows(connection, table, number) for table in everything} for number in ids]


def _rows(connection: Connection, table: Table, object_id: int) -> bytes:
    root, keys = registry.dataset(DATASET).tables.root, [column.name for column in table.primary_key.columns]
    own = ", ".join(column.name for column in root.primary_key.columns)
    query = f"""
        select * from {table.fullname}
        where ({own}) in (select {own} from {root.fullname} where object_id = {object_id:d}) order by {", ".join(keys)}
    """  # noqa: S608 - names of our own tables only
    with io.BytesIO() as rows, _cursor(connection) as cursor:
        cursor.copy_expert(f"copy ({query}) to stdout", rows)
        return rows.getvalue()


def _cursor(connection: Connection) -> "Cursor":
    return cast("Cursor", connection.connection.cursor())
