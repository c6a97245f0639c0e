"""Streams query results of any size as data frames, and writes them as CSV, JSON or Parquet."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from polars.io.plugins import register_io_source
from sqlalchemy import Connection, CursorResult, Engine, Select, text

from services.serving.database import Statement, translate_errors

BATCH_ROWS = 1_000  # about 1 MB
ROW_GROUP = 20_000  # rows
ROW_GROUP_BYTES = 32 << 20
# {Postgres type oid (pg_type.oid): polars type} of the types in gold.
TYPES: dict[int, pl.DataType] = {
    16: pl.Boolean(),
    20: pl.Int64(),
    23: pl.Int32(),
    25: pl.String(),
    701: pl.Float64(),
    1009: pl.List(pl.String),
    1082: pl.Date(),
    1184: pl.Datetime("us", "UTC"),
    1186: pl.Duration("us"),
    1700: pl.Decimal(14, 2),
    3802: pl.String(),
}
JSONB = 3802
CSV_TEXTS = (pl.List, pl.String, pl.Binary)  # what becomes text in CSV
FORMULA = r"^[=+\-@\t\r]"  # start of a formula in Excel, LibreOffice and Google Sheets (OWASP: CSV injection)

# What is read through without an index: the role's own setting is for searches (`services.serving.gold.db_role`).
ALLOW_SCANS = text("set local enable_seqscan = on")

Slices = Iterator[pl.DataFrame]


@contextmanager
def slices(engine: Engine, statement: Statement) -> Iterator[tuple[pl.Schema, Slices]]:
    """Context manager with the result's schema and its rows in frames of BATCH_ROWS. Raises ApiError."""
    with streaming(engine, BATCH_ROWS) as connection:
        result = connection.execute(text(statement.sql), statement.values)
        types = _types(result)
        documents = {name for name, number in types.items() if number == JSONB}
        schema = pl.Schema({name: TYPES[number] for name, number in types.items()})
        yield schema, _frames(result, schema, documents)


@contextmanager
def typed_slices(engine: Engine, query: Select[Any], schema: pl.Schema) -> Iterator[Slices]:
    """Context manager with the rows of a query, whose types the schema has. Raises ApiError."""
    with streaming(engine, BATCH_ROWS) as connection:
        connection.execute(ALLOW_SCANS, execution_options={"stream_results": False})
        yield typed_frames(connection, query, schema)


def typed_frames(connection: Connection, query: Select[Any], schema: pl.Schema) -> Slices:
    """The rows of a query, in frames of BATCH_ROWS, on a connection of `streaming`. The query runs at once."""
    result = connection.execute(query)
    _types(result)  # fetches the first rows, so that the query's errors are raised here
    return _frames(result, schema, frozenset())


@contextmanager
def streaming(engine: Engine, batch_rows: int) -> Iterator[Connection]:
    """Context manager with a connection that fetches results as they are read. Raises ApiError."""
    options = {"isolation_level": "REPEATABLE READ", "stream_results": True, "max_row_buffer": batch_rows}
    with translate_errors(), engine.connect().execution_options(**options) as connection:
        yield connection


def _frames(result: CursorResult[Any], schema: pl.Schema, documents: Collection[str]) -> Slices:
    for partition in result.mappings().partitions(BATCH_ROWS):
        columns = {name: [_text(row[name]) if name in documents else row[name] for row in partition] for name in schema}
        yield pl.DataFrame(columns, schema=schema)


def parquet(schema: pl.Schema, frames: Slices, path: Path) -> None:
    """Write a Parquet file (zstd) in row groups, which are held in memory: of wide rows they have fewer."""
    first = [*islice(frames, 1)]

    def source(_columns: object, _predicate: object, _rows: object, _batch: object) -> Slices:
        return chain(first, frames)

    lazy = register_io_source(source, schema=schema, is_pure=False)
    lazy.sink_parquet(path, compression="zstd", row_group_size=_row_group(first))


def _row_group(first: Sequence[pl.DataFrame]) -> int:
    """Rows of a row group, by the size of the first rows."""
    row_bytes = max((frame.estimated_size() / len(frame) for frame in first if len(frame)), default=1)
    return max(1, min(ROW_GROUP, int(ROW_GROUP_BYTES / max(1, row_bytes))))


def csv(schema: pl.Schema, frames: Slices, *, escape_formulas: bool = True) -> Iterator[bytes]:
    """CSV with a header; list items are joined with semicolons.

    Spreadsheets evaluate text that starts like a formula; a leading apostrophe prevents it.
    """
    texts = {name: _csv_text(name, kind) for name, kind in schema.items() if isinstance(kind, CSV_TEXTS)}
    joined = [_escape_formula(column) if escape_formulas else column for column in texts.values()]
    yield pl.DataFrame(schema=schema).select(schema.names()).with_columns(joined).write_csv().encode()
    for frame in frames:
        yield frame.with_columns(joined).write_csv(include_header=False).encode()


def _csv_text(name: str, kind: pl.DataType) -> pl.Expr:
    if isinstance(kind, pl.List):
        item = pl.element().pipe(_hexadecimal) if kind.inner == pl.Binary() else pl.element().cast(pl.String())
        return pl.col(name).list.eval(item).list.join("; ")
    return pl.col(name).pipe(_hexadecimal) if isinstance(kind, pl.Binary) else pl.col(name)


def _hexadecimal(column: pl.Expr) -> pl.Expr:
    """As Postgres writes bytes."""
    return pl.lit("\\x") + column.bin.encode("hex")


def _escape_formula(column: pl.Expr) -> pl.Expr:
    return pl.when(column.str.contains(FORMULA)).then("'" + column).otherwise(column).name.keep()


def json(_schema: pl.Schema, frames: Slices) -> Iterator[bytes]:
    """A JSON array of objects."""
    yield b"["
    separator = b""
    for frame in frames:
        yield separator + b",\n".join(_objects(frame))
        separator = b",\n"
    yield b"]\n"


def _types(result: CursorResult[Any]) -> dict[str, int]:
    described: Any = result.cursor.description if result.cursor else ()
    return {column[0]: column[1] for column in described}


def _objects(frame: pl.DataFrame) -> Iterable[bytes]:
    return (orjson.dumps(row, default=float) for row in frame.iter_rows(named=True))


def _text(value: object) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
