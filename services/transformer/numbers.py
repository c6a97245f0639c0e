"""JSON's numbers with their own digits, for fields that are no floats: as a float, 0.10 is 0.1 and 1e3 is 1000.0."""

import math
from typing import Any, get_args

import msgspec

from services.transformer.unstorable import NotFinite, marked
from shared import lenient_json
from shared.datasets import contract, raw_model


class Number(float):
    """A number whose text a float would change. As text, and so as an amount of money, it is as it was written."""

    __slots__ = ("_text",)
    _text: str

    def __new__(cls, text: str) -> "Number":
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
        return marked(lenient_json.flawed(encoded.decode(errors="surrogatepass"), number))


def exact_fields(dataset: str) -> frozenset[str]:
    """Paths of the fields that we keep, and not as floats."""
    of_model = raw_model.fields(contract.raw(dataset).Record)
    return frozenset(
        path
        for places, field in of_model
        if not _holds(field.annotation, float)
        for place in places
        for path in (place, f"{place}[]")
    )


def _holds(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_holds(inner, kind) for inner in get_args(annotation))
