"""Streams query results of any size as data frames, and writes them as CSV, JSON or Parquet."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from polars.io.plugins import register_io_source
from sqlalchemy import CursorResult, Engine, text

from services.serving.database import Statement, translate_errors

BATCH_ROWS = 1_000  # about 1 MB
ROW_GROUP = 20_000
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
FORMULA = r"^[=+\-@\t\r]"  # start of a formula in Excel, LibreOffice and Google Sheets (OWASP: CSV injection)

Slices = Iterator[pl.DataFrame]


@contextmanager
def slices(engine: Engine, statement: Statement) -> Iterator[tuple[pl.Schema, Slices]]:
    """Context manager with the result's schema and its rows in frames of BATCH_ROWS. Raises ApiError."""
    streaming = {"isolation_level": "REPEATABLE READ", "stream_results": True, "max_row_buffer": BATCH_ROWS}
    with translate_errors(), engine.connect().execution_options(**streaming) as connection:
        result = connection.execute(text(statement.sql), statement.values)
        types = _types(result)
        documents = {name for name, number in types.items() if number == JSONB}
        schema = pl.Schema({name: TYPES[number] for name, number in types.items()})

        def frames() -> Slices:
            for partition in result.mappings().partitions(BATCH_ROWS):
                columns = {
                    name: [_text(row[name]) if name in documents else row[name] for row in partition] for name in schema
                }
                yield pl.DataFrame(columns, schema=schema)

        yield schema, frames()


def parquet(schema: pl.Schema, frames: Slices, path: Path) -> None:
    """Write a Parquet file (zstd) in row groups."""

    def source(_columns: object, _predicate: object, _rows: object, _batch: object) -> Slices:
        return frames

    lazy = register_io_source(source, schema=schema, is_pure=False)
    lazy.sink_parquet(path, compression="zstd", row_group_size=ROW_GROUP)


def csv(schema: pl.Schema, frames: Slices, *, escape_formulas: bool = True) -> Iterator[bytes]:
    """CSV with a header; list items are joined with semicolons.

    Spreadsheets evaluate text that starts like a formula; a leading apostrophe prevents it.
    """
    lists = {name: pl.col(name).list.join("; ") for name, kind in schema.items() if isinstance(kind, pl.List)}
    texts = lists | {name: pl.col(name) for name, kind in schema.items() if isinstance(kind, pl.String)}
    joined = [_escape_formula(column) for column in texts.values()] if escape_formulas else [*lists.values()]
    yield pl.DataFrame(schema=schema).select(schema.names()).with_columns(joined).write_csv().encode()
    for frame in frames:
        yield frame.with_columns(joined).write_csv(include_header=False).encode()


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
