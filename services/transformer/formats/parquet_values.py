"""From the values of a Parquet column to those of JSON.

Values that Python cannot hold (a date in the year 12345) cost their own record: polars hands out what lies behind them,
numbers, and they are made into dates here.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from services.transformer.formats.parquet_schema import Node

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = EPOCH.toordinal()
PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
NOTHING = Node()

Convert = Callable[[Any], Any]


def plain(kind: pl.DataType) -> pl.DataType:
    """The type that polars is to cast a column to, so that its values are numbers, texts and bytes."""
    match kind:
        case pl.Date() | pl.Datetime() | pl.Time() | pl.Duration():
            return pl.Int64()
        case pl.Decimal() | pl.Float32() | pl.Float16() | pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.List() | pl.Array():
            return pl.List(plain(cast("pl.DataType", kind.inner)))
        case pl.Struct():
            return pl.Struct({field.name: plain(cast("pl.DataType", field.dtype)) for field in kind.fields})
    return kind


def converter(kind: pl.DataType, node: Node) -> Convert | None:
    """From such a plain value to JSON's; None where it is JSON's. Raises ValueError for a value that is beyond us."""
    convert = _converter(kind, node)
    return convert and (lambda value: None if value is None else convert(value))


def _converter(kind: pl.DataType, node: Node) -> Convert | None:  # noqa: PLR0911 - a table of types
    match kind:
        case pl.Binary():
            return _uuid if node.kind == "uuid" else _text
        case pl.Float32() | pl.Float16():
            return float
        case pl.Float64():
            return None
        case pl.Date():
            return _day
        case pl.Time():
            return _time
        case pl.Duration():
            per_second = PER_SECOND[kind.time_unit]
            return lambda value: str(timedelta(microseconds=value * 10**6 // per_second))
        case pl.Datetime():
            return _moment(PER_SECOND[kind.time_unit], kind.time_zone)
        case pl.List() | pl.Array():
            item = converter(cast("pl.DataType", kind.inner), _item(node))
            return item and (lambda value: [item(one) for one in value])
        case pl.Struct():
            return _struct(kind, node)
    return None


def _struct(kind: pl.Struct, node: Node) -> Convert | None:
    fields = {
        field.name: converter(cast("pl.DataType", field.dtype), node.children.get(field.name, NOTHING))
        for field in kind.fields
    }
    wanted: Mapping[str, Convert] = {name: convert for name, convert in fields.items() if convert}
    if not wanted:
        return None
    return lambda value: value | {name: convert(value[name]) for name, convert in wanted.items()}


def _item(node: Node) -> Node:
    """A list is a group of a repeated group of its item; of older writers, without one of the groups."""
    for _ in range(2):
        if len(node.children) == 1:
            (node,) = node.children.values()
    return node


def _uuid(value: bytes) -> str:
    return str(UUID(bytes=value))


def _text(value: bytes) -> str:
    return value.decode()


def _day(days: int) -> str:
    return date.fromordinal(EPOCH_DAY + days).isoformat()


def _time(nanoseconds: int) -> str:
    return (datetime.combine(date.min, time()) + timedelta(microseconds=nanoseconds // 1_000)).time().isoformat()


def _moment(per_second: int, zone: str | None) -> Convert:
    where = _zone(zone) if zone else None

    def convert(value: int) -> str:
        seconds, rest = divmod(value, per_second)
        try:
            moment = EPOCH + timedelta(seconds=seconds, microseconds=rest * 10**6 // per_second)
            return (moment.astimezone(where) if where else moment.replace(tzinfo=None)).isoformat()
        except OverflowError as error:
            message = f"{value} is beyond the calendar"
            raise ValueError(message) from error

    return convert


def _zone(name: str) -> ZoneInfo | timezone:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return datetime.strptime(name, "%z").tzinfo or UTC  # type: ignore[return-value]
