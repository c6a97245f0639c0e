"""A page of rows as JSON, with exact numbers and of bounded size."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
from fastapi.responses import Response
from sqlalchemy import Column, Engine, Select
from sqlalchemy.dialects.postgresql import JSONB

from services.serving.api.result_stream import streaming
from services.serving.datasets.catalog import ReadableTable
from services.serving.datasets.row_query import Columns, make_cursor

ROWS = 100
FETCHED = 50  # rows at a time
MAX_BYTES = 16 << 20  # a page ends after the row with which it has so many


def read(engine: Engine, table: ReadableTable, columns: Columns, query: Select[Any], limit: int) -> Response:
    """The response with up to `limit` rows of the query, fewer if they are large. Raises ApiError."""
    rows: list[bytes] = []
    size, cursor = 0, None
    with streaming(engine, FETCHED) as connection:
        key: list[str] = []
        for row in connection.execute(query.limit(limit + 1)):
            if len(rows) == limit or size > MAX_BYTES:
                cursor = make_cursor(table, key)
                break
            key = [*row[: len(table.key)]]
            rows.append(_object(columns, row[len(table.key) :]))
            size += len(rows[-1])
    body = b'{"rows":[' + b",\n".join(rows) + b'],"next":' + orjson.dumps(cursor) + b"}\n"
    return Response(body, media_type="application/json")


def _object(columns: Columns, values: Sequence[Any]) -> bytes:
    return orjson.dumps(
        {str(column.name): _json(value, column) for column, value in zip(columns, values, strict=True)},
        default=_exactly,
    )


def _json(value: Any, column: "Column[Any]") -> Any:
    return orjson.Fragment(value) if value is not None and isinstance(column.type, JSONB) else value


def _exactly(value: object) -> Any:
    """Numbers with all their digits, and bytes as Postgres writes them."""
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    if isinstance(value, bytes | memoryview):
        return rf"\x{bytes(value).hex()}"
    raise TypeError
