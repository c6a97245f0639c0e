"""JSON parsing: strict and fast first, and lenient if needed, so that one bad record does not affect others."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

MAX_DIGITS = 4_000  # digits
ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})?')  # also matches a backslash without a valid escape


def loads(content: bytes) -> Any:
    """Parse JSON. Accepts lone surrogates, NaN, Infinity and huge numbers, which are validated per record.

    Raises ValueError if it is not JSON, or nested too deeply for Python.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return flawed(content)


def flawed(content: bytes | str, parse_float: Callable[[str], object] = float) -> Any:
    """Parse JSON with such values. Raises as `loads`."""
    try:
        return json.loads(content, parse_int=_whole, parse_float=parse_float)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error


def outline(content: bytes) -> Any:
    """Parse JSON tolerating control characters and bad escapes, for the structure around the records.

    Raises as `loads`. The records must not be taken from the result.
    """
    try:
        return loads(content)
    except ValueError:
        escaped = ESCAPE.sub(lambda match: match[0] if len(match[0]) > 1 else rb"\\", content)
    try:
        return json.loads(escaped, parse_int=_whole, strict=False)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error


def _whole(digits: str) -> float:
    """Python rejects integers of more than 4,300 digits; no field accepts one."""
    return int(digits) if len(digits) < MAX_DIGITS else math.copysign(math.inf, -1 if digits.startswith("-") else 1)
