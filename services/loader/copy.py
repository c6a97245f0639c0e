"""COPY of frames into tables, in the CSV form of COPY."""

from io import BytesIO
from typing import TYPE_CHECKING, cast

import polars as pl
from sqlalchemy import Connection, Table

from shared import telemetry

if TYPE_CHECKING:
    from psycopg2.extensions import connection as DriverConnection  # noqa: N812 - a class, in small letters

CHUNK = 1 << 18  # bytes that psycopg2 reads and sends at a time; by default 8 KiB


def copy(connection: Connection, frame: pl.DataFrame, table: Table) -> None:
    """Append the frame's rows; its columns are named as the table's, in any order."""
    if frame.is_empty():
        return
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    buffer = BytesIO()
    frame.select(_as_text(name, dtype) for name, dtype in frame.schema.items()).write_csv(buffer, include_header=False)
    buffer.seek(0)
    driver = cast("DriverConnection", connection.connection.driver_connection)
    span = telemetry.span("loader.copy", table=f"{table.schema}.{table.name}", rows=len(frame))
    with span, driver.cursor() as cursor:  # SQLAlchemy has no COPY of its own
        cursor.copy_expert(f'copy "{table.schema}"."{table.name}" ({columns}) from stdin (format csv)', buffer, CHUNK)


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column as Postgres reads it: NULL is nothing at all, an empty string is quoted."""
    column = pl.col(name)
    if dtype == pl.List(pl.String):
        return _array_literal(column).alias(name)
    if dtype == pl.Binary:
        return pl.concat_str(pl.lit(r"\x"), column.bin.encode("hex")).alias(name)
    return column


def _array_literal(column: pl.Expr) -> pl.Expr:
    element = pl.element()
    for special in ("\\", '"'):
        element = element.str.replace_all(special, f"\\{special}", literal=True)
    quoted = column.list.eval(pl.concat_str(pl.lit('"'), element, pl.lit('"')))
    return pl.concat_str(pl.lit("{"), quoted.list.join(","), pl.lit("}"))
