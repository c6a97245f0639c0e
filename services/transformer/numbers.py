"""Numbers with their exact digits, for fields that are not floats: as floats, 0.10 is 0.1 and 1e3 is 1000.0."""

import math
from typing import Any, Self, get_args

import msgspec

from services.transformer.invalid_values import NotFinite, replace_invalid
from shared import lenient_json
from shared.datasets import registry
from shared.datasets.contract import raw_model

LONG = b"0" * 16  # 15 digits and a point; every float keeps 15 digits
DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


class Number(float):
    """A float that keeps its text in JSON, for text and decimal fields."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> Self:
        """Parse the text of a number."""
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


def number(text: str) -> Number | float | NotFinite:
    """A JSON number: a float if that preserves its text."""
    value = float(text)
    if not math.isfinite(value):
        return NotFinite()
    return value if repr(value) == text else Number(text)


_DECODER = msgspec.json.Decoder(float_hook=number)


def parsed(encoded: bytes) -> Any:
    """Parse a record with exact numbers, at twice the cost of plain parsing. Raises ValueError, RecursionError."""
    try:
        return _DECODER.decode(encoded)
    except (ValueError, RecursionError):
        return replace_invalid(lenient_json.flawed(encoded.decode(errors="surrogatepass"), number))


def has_long(encoded: bytes) -> bool:
    """Whether the text may contain a number with more digits than floats keep."""
    return LONG in encoded.translate(DIGITS)


def exact_fields(dataset: str) -> dict[str, bool]:
    """{path of a declared field that is not a float: whether it is text, in which every digit counts}."""
    kinds = ((places, field.annotation) for places, field in raw_model.fields(registry.dataset(dataset).record_model))
    return {
        path: _holds(kind, str)
        for places, kind in kinds
        if not _holds(kind, float)
        for place in places
        for path in (place, f"{place}[]")
    }


def _holds(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_holds(inner, kind) for inner in get_args(annotation))
