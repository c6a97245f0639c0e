"""JSON as it comes: fast where it is strict, and lenient where one record's flaw must not cost its neighbours."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson

LONGEST_WHOLE = 4_000  # digits
ESCAPE = re.compile(rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})?')  # a lone backslash where none of JSON's follows


def loads(content: bytes) -> Any:
    """Parse JSON. Lone surrogates, NaN, Infinity and huge numbers come through; their records are judged.

    Raises ValueError for what is not JSON at all, or nested deeper than Python goes.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return flawed(content)


def flawed(content: bytes | str, parse_float: Callable[[str], object] = float) -> Any:
    """Parse what is not strictly JSON. Raises as `loads`."""
    try:
        return json.loads(content, parse_int=_whole, parse_float=parse_float)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error


def outline(content: bytes) -> Any:
    """Parse JSON for what is round its records, whatever flaws their texts have: control characters, bad escapes.

    Raises as `loads`. The records themselves are not to be taken from it.
    """
    try:
        return loads(content)
    except ValueError:
        escaped = ESCAPE.sub(lambda found: found[0] if len(found[0]) > 1 else rb"\\", content)
    try:
        return json.loads(escaped, parse_int=_whole, strict=False)
    except RecursionError as error:
        message = "nested too deep"
        raise ValueError(message) from error


def _whole(digits: str) -> float:
    """Python refuses to convert whole numbers of more than 4,300 digits; no field of ours takes one."""
    return int(digits) if len(digits) < LONGEST_WHOLE else math.copysign(math.inf, -1 if digits.startswith("-") else 1)
