r"""Conversion of natural keys between text and values.

The text has the parts in canonical form (ISO 8601 dates, `true`, `1.50` for a numeric with two decimals, `\x00ff` for
bytes), separated by tabs. The ledger, quarantine and the hash cache use it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    Time,
    Uuid,
)
from sqlalchemy.types import TypeEngine

SEPARATOR = "\t"
MAX_DIGITS = 38  # of a polars decimal

Columns = Sequence[Column[Any]]
Values = tuple[Any, ...]


@dataclass(frozen=True)
class _Conversion:
    """`parse` raises ValidationError for text that the column cannot hold."""

    parse: Callable[[str | bytes], Any]
    text: Callable[[Any], str]


def _conversion(kind: Any, text: Callable[[Any], str] = str) -> _Conversion:
    return _Conversion(TypeAdapter(kind).validator.validate_python, text)  # 1 µs per value faster than the adapter


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else bytes.fromhex(text.removeprefix("\\x"))


def _without_zone(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


CONVERSIONS: Mapping[type[TypeEngine[Any]], _Conversion] = {
    BigInteger: _conversion(Annotated[int, Field(ge=-(2**63), lt=2**63)]),
    Integer: _conversion(Annotated[int, Field(ge=-(2**31), lt=2**31)]),
    SmallInteger: _conversion(Annotated[int, Field(ge=-(2**15), lt=2**15)]),
    Boolean: _conversion(bool, lambda value: str(value).lower()),
    Double: _conversion(Annotated[float, Field(allow_inf_nan=False)], lambda value: repr(value + 0.0)),  # no -0.0
    Text: _conversion(str),
    Date: _conversion(date, date.isoformat),
    DateTime: _conversion(Annotated[datetime, AfterValidator(_without_zone)], datetime.isoformat),
    Time: _conversion(time, time.isoformat),
    Uuid: _conversion(Annotated[UUID, AfterValidator(str)]),  # text in frames and in `Uuid(as_uuid=False)`
    LargeBinary: _conversion(Annotated[bytes, BeforeValidator(_bytes)], lambda value: f"\\x{value.hex()}"),
}


def can_be_key(kind: TypeEngine[Any]) -> bool:
    """Whether a column of this type may be in a natural key. Silver frames have timestamps without time zone."""
    return (isinstance(kind, Numeric) or type(kind) in CONVERSIONS) and not getattr(kind, "timezone", False)


def parse(parts: Sequence[str | bytes], columns: Columns) -> Values | None:
    """The values of a key's parts in any spelling; None if the columns cannot hold them."""
    if len(parts) != len(columns):
        return None
    try:
        return tuple([parse(part) for parse, part in zip(_parsers(tuple(columns)), parts, strict=True)])
    except ValidationError:
        return None


def values(key: str, columns: Columns) -> Values | None:
    """The values of a key in canonical form; None for other forms."""
    parsed = parse(key.split(SEPARATOR), columns)
    return parsed if parsed is not None and text(parsed, columns) == key else None


def text(values: Iterable[Any], columns: Columns) -> str:
    """The canonical text of a key."""
    return texts([values], columns)[0]


def texts(rows: Iterable[Iterable[Any]], columns: Columns) -> list[str]:
    """The canonical texts of many keys."""
    writers = _writers(tuple(columns))
    return [SEPARATOR.join([write(value) for write, value in zip(writers, values, strict=True)]) for values in rows]


@cache
def _parsers(columns: tuple[Column[Any], ...]) -> tuple[Callable[[str | bytes], Any], ...]:
    return tuple(_of(column).parse for column in columns)


@cache
def _writers(columns: tuple[Column[Any], ...]) -> tuple[Callable[[Any], str], ...]:
    return tuple(_of(column).text for column in columns)


def _of(column: Column[Any]) -> _Conversion:
    kind = column.type
    if isinstance(kind, Numeric) and not isinstance(kind, Double):
        return _decimal(kind.precision or MAX_DIGITS, kind.scale or 0)
    return CONVERSIONS[type(kind)]


@cache
def _decimal(precision: int, scale: int) -> _Conversion:
    """A conversion that rejects decimals with more digits than the column."""
    context = Context(prec=precision, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Inexact])

    def fitted(value: Decimal) -> Decimal:
        try:
            return abs(fixed) if not (fixed := value.quantize(Decimal(1).scaleb(-scale), context=context)) else fixed
        except (InvalidOperation, Inexact) as error:
            message = f"not a decimal of {precision} digits, {scale} of them after the point"
            raise ValueError(message) from error

    return _conversion(Annotated[Decimal, AfterValidator(fitted)], lambda value: f"{fitted(value):f}")
