"""Types of columns that evolution adds, and the texts of their values. No I/O.

A type is chosen only where its values have the same text as the record's, so that a column can become a wider one,
in the end text, without a loss: `007`, `1e3` and `Yes` are texts.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Date, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

TEXT = "text"
TYPES: Mapping[str, type[TypeEngine[Any]]] = {
    "boolean": Boolean,
    "bigint": BigInteger,
    "numeric": Numeric,
    "date": Date,
    "jsonb": JSONB,
    TEXT: Text,
}
# {type: the SQL of its text}, where a cast depends on settings of the session
TEXTS: Mapping[str, str] = {"date": "to_char({column}, 'YYYY-MM-DD')"}
NUMBERS = frozenset(("bigint", "numeric"))
BOOLEAN = re.compile(r"true|false")
WHOLE = re.compile(r"0|-?[1-9]\d{0,18}")
FRACTION = re.compile(r"(?!-0\.0+$)-?(0|[1-9]\d{0,17})\.\d{1,18}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Digits(str):
    """The text of a number that is no 64-bit integer."""

    __slots__ = ()


def decode(text: str) -> dict[str, Any]:
    """{path: value}. Numbers that are not 64-bit integers keep their digits."""
    document: dict[str, Any] = json.loads(text, parse_float=Digits, parse_int=_integer)
    return document


def _integer(text: str) -> int | Digits:
    number = int(text)
    return number if _fits(number) else Digits(text)


def _fits(number: int) -> bool:
    return -(2**63) <= number < 2**63


def encode(document: Mapping[str, Any]) -> str | None:
    """The JSON text of what `decode` returned; None where there is nothing in it."""
    return _json(document) if document else None


def _json(value: Any) -> str:
    return orjson.dumps(value, default=_number, option=orjson.OPT_PASSTHROUGH_SUBCLASS).decode()


def _number(digits: Digits) -> orjson.Fragment:
    return orjson.Fragment(str(digits))


def value_text(value: Any) -> str | None:
    """The text of a value as COPY reads it for each type that has the value. Blank texts are null."""
    match value:
        case None:
            return None
        case str():
            return str(value).strip() or None
        case dict() | list() | bool():
            return _json(value)
    return str(value)


def common_type(types: Iterable[str]) -> str:
    """The narrowest type with the values of all these."""
    return reduce(_wider, types)


def _wider(one: str, other: str) -> str:
    if one == other:
        return one
    return "numeric" if {one, other} == NUMBERS else TEXT


def value_type(value: Any) -> str:
    """The narrowest type that has a value."""
    match value:
        case bool():
            return "boolean"
        case int():
            return "bigint"
        case Digits():
            return "numeric"
        case str():
            return _type_of_text(value.strip())
    return "jsonb"


def _type_of_text(text: str) -> str:
    if BOOLEAN.fullmatch(text):
        return "boolean"
    if WHOLE.fullmatch(text):
        return "bigint" if _fits(int(text)) else TEXT
    if FRACTION.fullmatch(text):
        return "numeric"
    return "date" if DAY.fullmatch(text) and _is_date(text) else TEXT


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
