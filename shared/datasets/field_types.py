"""Types of values as sources really send them, for the fields of a `RawModel`: numbers as text, "Y" for true.

They are strict where pydantic would guess (true as 1, 20250101 as a moment).
"""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

MOST_ITEMS = 200_000  # of a list inside a record; the longest real one has 1,176
GROUPED = re.compile(r"\s*-?\$?\s*-?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,2})?\s*")  # $120,000.00


def _absent_if_blank(value: Any) -> Any:
    """White space round a value never counts; nothing else makes none."""
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
    """Moments have no zone here; one that has is taken to UTC."""
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


Text = str | None
Flag = Annotated[bool | None, BeforeValidator(_absent_if_blank)]
Day = Annotated[date | None, BeforeValidator(_iso)]
Moment = Annotated[datetime | None, BeforeValidator(_iso), AfterValidator(_without_zone)]
Coordinate = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, _number("float_type")]
Whole = Annotated[Annotated[int, Field(ge=-(2**31), lt=2**31)] | None, _number("int_type")]
Money = Annotated[
    Annotated[Decimal, Field(max_digits=14, decimal_places=2)] | None, BeforeValidator(_amount), _number("decimal_type")
]
UuidText = Annotated[Annotated[UUID, AfterValidator(str)] | None, BeforeValidator(_absent_if_blank)]  # in small letters
Texts = Annotated[list[Text], BeforeValidator(_without_blanks)]
Item = TypeVar("Item")
Items = Annotated[list[Item], Field(max_length=MOST_ITEMS), BeforeValidator(_none_if_null)]
Key = Annotated[Annotated[int, Field(ge=1, lt=2**63)], _number("int_type")]
