"""Types of values as sources really send them, for the fields of a `RawModel`: numbers as text, "Y" for true.

They are strict where pydantic would guess (true as 1, 20250101 as a date and time).
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from shared.datasets.contract import time_format
from shared.datasets.contract.document import Column

MAX_ITEMS = 200_000  # of a list inside a record; the longest real one has 1,176
GROUPED = re.compile(r"\s*-?\$?\s*-?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,2})?\s*")  # $120,000.00


def _absent_if_blank(value: Any) -> Any:
    """Strip white space; a blank text is null."""
    return value.strip() or None if isinstance(value, str) else value


def _number(kind: Literal["int_type", "float_type", "decimal_type"]) -> BeforeValidator:
    """Numbers as numbers or text: pydantic would take true for 1, and 1_000 for 1000."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
            raise PydanticCustomError(kind, "is not a number")
        if kind == "int_type" and isinstance(value, float) and not math.isfinite(value):
            raise PydanticCustomError(kind, "is no whole number that fits")
        return _absent_if_blank(value)

    return BeforeValidator(check)


def _amount(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if not GROUPED.fullmatch(value):
        raise PydanticCustomError("decimal_type", "is not an amount of money")
    return _absent_if_blank(value.replace("$", "").replace(",", ""))


def _iso(value: Any) -> Any:
    """Dates as ISO text: pydantic would take 20250101 for seconds since 1970."""
    value = _absent_if_blank(value)
    if value is not None and not (isinstance(value, str) and "-" in value[1:]):
        raise PydanticCustomError("datetime_type", "is not an ISO 8601 date")
    return value


def _without_zone(value: datetime | None) -> datetime | None:
    """Convert to UTC and drop the time zone."""
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value and value.tzinfo else value
    except OverflowError as error:
        raise PydanticCustomError("datetime_range", "is beyond the calendar") from error


def empty_if_null(value: Any) -> Any:
    """For objects that may be null as a whole."""
    return value if isinstance(value, dict) or _absent_if_blank(value) is not None else {}


def _none_if_null(value: Any) -> Any:
    return value if isinstance(value, list) or _absent_if_blank(value) is not None else []


def _without_blanks(value: Any) -> Any:
    if not isinstance(value, list):
        return _none_if_null(value)
    return [text for text in value if _absent_if_blank(text) is not None]


def _binary(value: Any) -> Any:
    """Hexadecimal digits, as Postgres writes them."""
    if not isinstance(value, str):
        return value
    try:
        return bytes.fromhex(value.strip().removeprefix("\\x"))
    except ValueError as error:
        raise PydanticCustomError("bytes_type", "is not hexadecimal") from error


def _json(value: Any) -> Any:
    """Any value as JSON text; what Postgres cannot hold, anywhere in it, is refused."""
    try:
        return None if value is None else json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PydanticCustomError("json_type", "has a character or a number that Postgres cannot hold") from error


def _time_of_day(value: Any) -> Any:
    value = _absent_if_blank(value)
    if value is not None and not (isinstance(value, str) and ":" in value):
        raise PydanticCustomError("time_type", "is not an ISO 8601 time")
    return value


Text = str | None
Flag = Annotated[bool | None, BeforeValidator(_absent_if_blank)]
Day = Annotated[date | None, BeforeValidator(_iso)]
Timestamp = Annotated[datetime | None, BeforeValidator(_iso), AfterValidator(_without_zone)]
TimeOfDay = Annotated[time | None, BeforeValidator(_time_of_day)]
Float = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, _number("float_type")]
UuidText = Annotated[Annotated[UUID, AfterValidator(str)] | None, BeforeValidator(_absent_if_blank)]  # in small letters
Binary = Annotated[bytes | None, BeforeValidator(_binary)]
Json = Annotated[str | None, BeforeValidator(_json)]
Texts = Annotated[list[Text], BeforeValidator(_without_blanks)]


def items_of(kind: Any) -> Any:
    """A list of child rows, which may be null."""
    return Annotated[list[kind], Field(max_length=MAX_ITEMS), BeforeValidator(_none_if_null)]


def whole(bits: int) -> Any:
    """An integer of so many bits, with its sign."""
    bounds = Field(ge=-(2 ** (bits - 1)), lt=2 ** (bits - 1))
    return Annotated[Annotated[int, bounds] | None, _number("int_type")]


def decimal(precision: int, scale: int) -> Any:
    """An exact number, maybe written as an amount of money: $1,200.50."""
    bounds = Field(max_digits=precision, decimal_places=scale)
    return Annotated[Annotated[Decimal, bounds] | None, BeforeValidator(_amount), _number("decimal_type")]


TYPES: Mapping[str, Any] = {
    "bigint": whole(64),
    "boolean": Flag,
    "bytea": Binary,
    "date": Day,
    "double precision": Float,
    "integer": whole(32),
    "jsonb": Json,
    "smallint": whole(16),
    "text": Text,
    "time": TimeOfDay,
    "timestamp": Timestamp,
    "timestamptz": Timestamp,
    "uuid": UuidText,
}
TRANSFORMS: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}


def of_column(column: Column) -> Any:
    """The type of a column's field."""
    kind = column.type
    one: Any = decimal(kind.precision, kind.scale) if kind.name == "numeric" else TYPES[kind.name]
    if format_ := column.limits.get("format"):
        one = _formatted(kind.name, format_) or one
    if column.transform:
        change = TRANSFORMS[column.transform]
        one = Annotated[one, AfterValidator(lambda value: change(value.strip()) if value else value)]
    if kind.array:
        return (
            Texts
            if kind.name == "text"
            else Annotated[
                list[one] | None,
                BeforeValidator(_absent_if_blank),
            ]
        )
    return one


def _formatted(kind: str, format_: str) -> Any:
    """A date or time in a format of its own; None for other types."""
    if kind in {"timestamp", "timestamptz"}:
        parse = time_format.parser(format_)
        return Annotated[datetime | None, BeforeValidator(parse), AfterValidator(_without_zone)]
    if kind in {"date", "time"}:
        parse = time_format.parser(format_)
        part = datetime.date if kind == "date" else datetime.time
        return Annotated[
            (date if kind == "date" else time) | None, BeforeValidator(lambda value: _part(parse(value), part))
        ]
    return None


def _part(value: datetime | None, part: Callable[[datetime], Any]) -> Any:
    return None if value is None else part(value)
