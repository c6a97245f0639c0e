"""JSON's numbers with their own digits, for fields that are no floats: as a float, 0.10 is 0.1 and 1e3 is 1000.0."""

import math
from typing import Any, Self, get_args

import msgspec

from services.transformer.invalid_values import NotFinite, replace_invalid
from shared import lenient_json
from shared.datasets import registry
from shared.datasets.contract import raw_model

LONG = b"0" * 16  # digits and a point: a float keeps 15 digits, whatever they are
DIGITS = bytes.maketrans(b"123456789.", b"0" * 10)


class Number(float):
    """A number whose text a float would change. As text, and so as an amount of money, it is as it was written."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> Self:
        """The number that is written so."""
        number = super().__new__(cls, text)
        number._text = text
        return number

    def __str__(self) -> str:
        return self._text


def number(text: str) -> Number | float | NotFinite:
    """What JSON wrote so."""
    value = float(text)
    if not math.isfinite(value):
        return NotFinite()
    return value if repr(value) == text else Number(text)


_DECODER = msgspec.json.Decoder(float_hook=number)


def parsed(encoded: bytes) -> Any:
    """A record with exact numbers: more than twice the work of one without. Raises ValueError, RecursionError."""
    try:
        return _DECODER.decode(encoded)
    except (ValueError, RecursionError):
        return replace_invalid(lenient_json.flawed(encoded.decode(errors="surrogatepass"), number))


def has_long(encoded: bytes) -> bool:
    """Whether there may be a number of more digits than every float has."""
    return LONG in encoded.translate(DIGITS)


def exact_fields(dataset: str) -> dict[str, bool]:
    """{path of a field that we keep, and not as a float: whether it is a text, in which every digit counts}."""
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
