"""Appending frames to tables with COPY in CSV format."""

from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from sqlalchemy import Column, Connection, Table

from shared import telemetry
from shared.formats import silver

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - the driver's class has a lower-case name

CHUNK = 1 << 18  # bytes that psycopg2 reads and sends at a time; by default 8 KiB


def copy(connection: Connection, rows: Mapping[Table, pl.LazyFrame]) -> None:
    """Append the rows to each table, in this order; the frames have all its columns."""
    driver = cast("DriverConnection", connection.connection.driver_connection)
    for table, text in _texts(rows).items():
        if not text.getbuffer():
            continue
        columns = ", ".join(f'"{column.name}"' for column in table.columns)
        name = f'"{table.schema}"."{table.name}"'
        with telemetry.span("loader.copy", table=table.fullname), driver.cursor() as cursor:
            cursor.copy_expert(
                f"copy {name} ({columns}) from stdin (format csv)", text, CHUNK
            )  # SQLAlchemy has no COPY


def _texts(rows: Mapping[Table, pl.LazyFrame]) -> dict[Table, BytesIO]:
    """The rows as CSV. All tables in one query: for few rows, starting a polars query dominates the cost."""
    texts = {table: BytesIO() for table in rows}
    sinks = [
        frame.select(_columns(table)).sink_csv(texts[table], include_header=False, lazy=True)
        for table, frame in rows.items()
    ]
    pl.collect_all(sinks, optimizations=pl.QueryOptFlags.none())
    for text in texts.values():
        text.seek(0)
    return texts


@cache
def _columns(table: Table) -> list[pl.Expr]:
    return [_as_text(column) for column in table.columns]


def _as_text(column: Column[Any]) -> pl.Expr:
    """The column as COPY reads it: NULL is empty, an empty string is quoted."""
    own, dtype = pl.col(column.name), silver.dtype(column.type)
    if isinstance(dtype, pl.List):
        return _array_literal(own).alias(column.name)
    if dtype == pl.Binary:
        return pl.concat_str(pl.lit(r"\x"), own.bin.encode("hex")).alias(column.name)
    if getattr(column.type, "timezone", False):
        return own.dt.replace_time_zone("UTC")
    return own


def _array_literal(column: pl.Expr) -> pl.Expr:
    element = pl.element().cast(pl.String)
    for special in ("\\", '"'):
        element = element.str.replace_all(special, f"\\{special}", literal=True)
    quoted = column.list.eval(pl.concat_str(pl.lit('"'), element, pl.lit('"')).fill_null("NULL"))
    return pl.concat_str(pl.lit("{"), quoted.list.join(","), pl.lit("}"))
