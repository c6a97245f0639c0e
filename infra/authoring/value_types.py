"""Infers the type of a column from the values of a sample."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from shared.datasets.contract import field_types, time_format

Values = Sequence[Any]
EPOCHS = {"epoch-seconds": 1, "epoch-milliseconds": 1_000}
FIRST_EPOCH, LAST_EPOCH = 631_152_000, 4_102_444_800  # s: the years 1990 and 2100
NAMES_OF_MOMENTS = re.compile(
    r"(^|_)(time|date|timestamp|ts|at|on|updated|created|modified)(_|$)|(time|date|At)$", re.IGNORECASE
)
WHOLE = re.compile(r"-?(0|[1-9]\d{0,18})")  # a code with leading zeros is no number
NUMBER = re.compile(r"-?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
MONEY = re.compile(r"-?\$?-?([1-9]\d{0,2}(,\d{3})+|0|[1-9]\d*)(\.\d+)?")
MONEY_DIGITS = 18
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# Texts that look like one, and the type whose parser has the last word.
ISO = (
    (re.compile(r"\d{4}-\d{2}-\d{2}"), "date"),
    (re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}\S*"), "timestamp"),
    (re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"), "time"),
)
# Pairs of words that are the values of a flag; both single letters must occur, as one of them may be a code.
FLAGS: Sequence[frozenset[str]] = (frozenset(("true", "false")), frozenset(("yes", "no")))
LETTERS: Sequence[frozenset[str]] = (frozenset("yn"), frozenset("tf"))
# Where a value is a date in several of them, the first counts.
DATES = (
    "MM/dd/yyyy", "dd/MM/yyyy", "yyyy/MM/dd", "dd.MM.yyyy", "MM-dd-yyyy", "dd-MM-yyyy", "MM/dd/yy", "dd/MM/yy",
    "MMM d yyyy", "MMM d, yyyy", "MMMM d yyyy", "MMMM d, yyyy", "d MMM yyyy", "d MMMM yyyy", "d-MMM-yyyy", "d-MMM-yy",
)  # fmt: skip
CLOCKS = ("HH:mm", "HH:mm:ss", "HH:mm:ss.S", "hh:mm a", "hh:mm:ss a")


@dataclass(frozen=True)
class ValueType:
    """A type in terms of the contract; `note` is a decision left to the contract's author."""

    logical: str
    physical: str | None = None
    format: str | None = None
    items: str | None = None  # the logical type of an array's items
    note: str = ""

    @property
    def properties(self) -> dict[str, Any]:
        """Of the contract's property."""
        return {
            "logicalType": self.logical,
            **({"physicalType": self.physical} if self.physical else {}),
            **({"items": {"logicalType": self.items}} if self.items else {}),
            **({"logicalTypeOptions": {"format": self.format}} if self.format else {}),
        }

    def __str__(self) -> str:
        name = f"{self.items}[]" if self.items else self.physical or self.logical
        return f"{name} {self.format}" if self.format else name


STRING, OBJECT = ValueType("string"), ValueType("object")
# Of values whose types in Python are all among these; no values at all are texts.
SCALARS = (
    (frozenset[type](), STRING),
    (frozenset((bool,)), ValueType("boolean")),
    (frozenset((int, float)), ValueType("number")),
    (frozenset((int, float, str)), STRING),
)


def value_type(values: Iterable[Any], name: str, *, texts: bool) -> ValueType:
    """The narrowest type that all values have. `texts`: numbers and flags are texts as well, as in CSV."""
    present = [value for value in values if not _is_blank(value)]
    kinds = set(map(type, present))
    if kinds == {str}:
        return _text([value.strip() for value in present], name, texts=texts)
    if kinds == {int}:
        return _epoch(present, name) or _integer(present)
    if kinds == {list}:
        return _array([item for value in present for item in value if item is not None])
    return next((kind for python, kind in SCALARS if kinds <= python), OBJECT)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _array(items: Values) -> ValueType:
    if any(isinstance(item, (dict, list)) for item in items):
        return OBJECT
    inner = value_type(items, "", texts=False)
    plain = inner.logical in {"string", "integer", "number", "boolean"} and not inner.physical and not inner.format
    return ValueType("array", items=inner.logical if plain else "string") if inner != OBJECT else OBJECT


def _integer(values: Values) -> ValueType:
    return ValueType("integer") if all(-(2**63) <= value < 2**63 for value in values) else STRING


def _epoch(values: Values, name: str) -> ValueType | None:
    if NAMES_OF_MOMENTS.search(name):
        for format_, second in EPOCHS.items():
            if all(FIRST_EPOCH * second <= value < LAST_EPOCH * second for value in values):
                return ValueType("timestamp", format=format_)
    return None


def _text(values: Sequence[str], name: str, *, texts: bool) -> ValueType:
    distinct = list(dict.fromkeys(values))
    own = _number_or_flag(distinct, name) if texts else None
    return own or _moment(distinct) or (ValueType("string", format="uuid") if _all(UUID, distinct) else STRING)


def _number_or_flag(texts: Sequence[str], name: str) -> ValueType | None:
    words = {text.lower() for text in texts}
    if any(words <= pair for pair in FLAGS) or words in LETTERS:
        return ValueType("boolean")
    if _all(WHOLE, texts):
        whole = [int(text) for text in texts]
        return _epoch(whole, name) or _integer(whole)
    if _all(NUMBER, texts):
        return ValueType("number")
    if _all(MONEY, texts):
        scale = max(len(text.partition(".")[2]) for text in texts)
        return ValueType("number", physical=f"numeric({MONEY_DIGITS},{max(2, scale)})")
    return None


def _moment(texts: Sequence[str]) -> ValueType | None:
    for pattern, logical in ISO:
        if _all(pattern, texts) and _accepts(TypeAdapter(field_types.TYPES[logical]).validate_python, texts):
            return ValueType(logical)
    if dates := _formats(DATES, texts):
        return _formatted("date", dates)
    moments = _formats(
        (f"{day}{between}{clock}" for day in DATES for between in (" ", ", ") for clock in CLOCKS), texts
    )
    return _formatted("timestamp", moments) if moments else None


def _formats(candidates: Iterable[str], texts: Sequence[str]) -> list[str]:
    return [format_ for format_ in candidates if _accepts(time_format.parser(format_), texts)]


def _formatted(logical: str, formats: Sequence[str]) -> ValueType:
    """The first format that fits all values; other formats that fit, too, are named in a note."""
    note = f"{formats[1]} fits as well" if len(formats) > 1 else ""
    return ValueType(logical, format=formats[0], note=note)


def _accepts(parse: Callable[[Any], object], texts: Sequence[str]) -> bool:
    try:
        return all(parse(text) is not None for text in texts)
    except (ValidationError, PydanticCustomError):
        return False


def _all(pattern: re.Pattern[str], texts: Sequence[str]) -> bool:
    return all(map(pattern.fullmatch, texts))
