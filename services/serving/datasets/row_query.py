"""The query for rows of a dataset's table, in the order of its key. No I/O."""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from sqlalchemy import ARRAY, Column, ColumnElement, Select, Text, cast, literal, select, tuple_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from services.serving.database import ApiError
from services.serving.datasets.catalog import ReadableTable
from shared.formats import silver

KEY = "_key"  # begins the names of the key's parts as text; no column of a contract begins with an underscore

Columns = Sequence["Column[Any]"]


def columns(table: ReadableTable, selected: Iterable[str]) -> Columns:
    """The selected columns, given as names separated by commas; by default all. Raises ApiError."""
    names = [name.strip() for text in selected for name in text.split(",") if name.strip()] or [*table.columns]
    if unknown := [name for name in names if name not in table.columns]:
        raise ApiError(422, f"select: {table.name} has no column {unknown[0]!r}; columns: {', '.join(table.columns)}")
    return [table.columns[name] for name in dict.fromkeys(names)]


def rows(selected: Columns, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
    """All rows that meet the conditions, unordered. JSON is text."""
    return select().add_columns(*map(_expression, selected)).where(*conditions)


def page(
    table: ReadableTable, selected: Columns, conditions: Iterable[ColumnElement[bool]], cursor: str | None
) -> Select[Any]:
    """The same in the order of the key after the cursor, with the key's parts as text before the columns."""
    after = [] if cursor is None else [_after(table, cursor)]
    key = [cast(column, Text).label(f"{KEY}{number}") for number, column in enumerate(table.key)]
    query = select().add_columns(*key, *map(_expression, selected))
    return query.where(*conditions, *after).order_by(*table.key)


def make_cursor(table: ReadableTable, key: Sequence[str]) -> str:
    """The cursor after the row with this key, whose parts are texts."""
    return base64.urlsafe_b64encode(json.dumps([table.name, *key], separators=(",", ":")).encode()).decode().rstrip("=")


def schema(selected: Columns) -> pl.Schema:
    """The frame of such rows."""
    return pl.Schema({column.name: _dtype(column.type) for column in selected})


def _after(table: ReadableTable, cursor: str) -> ColumnElement[bool]:
    try:
        name, *key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise ApiError(422, "cursor: invalid") from error
    if name != table.name or len(key) != len(table.key) or not all(isinstance(part, str) for part in key):
        raise ApiError(422, "cursor: belongs to another table")
    if any("\0" in part for part in key):
        raise ApiError(422, "cursor: invalid")
    values = [cast(literal(part, Text), column.type) for part, column in zip(key, table.key, strict=True)]
    return tuple_(*table.key) > tuple_(*values)


def _expression(column: "Column[Any]") -> ColumnElement[Any]:
    return cast(column, Text).label(column.name) if isinstance(column.type, JSONB) else column


def _dtype(kind: TypeEngine[Any]) -> pl.DataType:
    if isinstance(kind, ARRAY):
        return pl.List(_dtype(kind.item_type))
    return pl.Datetime("us", "UTC") if getattr(kind, "timezone", False) else silver.dtype(kind)
