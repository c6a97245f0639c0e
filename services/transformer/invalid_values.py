"""What JSON can write and Postgres cannot hold: marked, so that validation refuses it in the fields that we keep."""

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

SURROGATE = re.compile("[\ud800-\udfff]")
NUL = b"\\u0000"  # how JSON writes it: a text that contains it may hold one


@dataclass(frozen=True)
class InvalidValue:
    """In the place of such a value: no type of a field takes it."""

    rule: ClassVar[str]
    message: ClassVar[str]


class NulText(InvalidValue):
    """In the place of a text with U+0000."""

    rule, message = "string_with_nul", "contains U+0000, which Postgres cannot store"


class LoneSurrogate(InvalidValue):
    """In the place of a text with half of a surrogate pair."""

    rule, message = "string_unicode", "contains half of a surrogate pair, which is no character"


class NotFinite(InvalidValue):
    """In the place of NaN and the infinities."""

    rule, message = "not_finite", "is no text, and no finite number"


def replace_invalid(value: Any) -> Any:
    """A record with such values replaced. Raises RecursionError where it is nested deeper than Python goes."""
    match value:
        case str() if "\x00" in value:
            return NulText()
        case str() if SURROGATE.search(value):
            return LoneSurrogate()
        case float() if not math.isfinite(value):
            return NotFinite()
        case dict():
            return {name: replace_invalid(inner) for name, inner in value.items()}
        case list():
            return [replace_invalid(inner) for inner in value]
    return value
