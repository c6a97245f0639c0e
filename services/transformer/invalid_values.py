"""Values that JSON can represent and Postgres cannot store, replaced by markers that fail validation."""

import math
import re
from typing import Any, ClassVar

SURROGATE = re.compile("[\ud800-\udfff]")
NUL = b"\\u0000"  # a text with it may contain U+0000


class InvalidValue:
    """A marker that no field type accepts, and that JSON encoders refuse (a dataclass they would encode)."""

    rule: ClassVar[str]
    message: ClassVar[str]


class NulText(InvalidValue):
    """Replaces a text with U+0000."""

    rule, message = "string_with_nul", "contains U+0000, which Postgres cannot store"


class LoneSurrogate(InvalidValue):
    """Replaces a text with half of a surrogate pair."""

    rule, message = "string_unicode", "contains half of a surrogate pair, which is not a character"


class NotFinite(InvalidValue):
    """Replaces NaN and infinities."""

    rule, message = "not_finite", "is not a finite number"


def replace_invalid(value: Any) -> Any:
    """The record with such values replaced. Raises RecursionError if it is nested too deeply for Python."""
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
