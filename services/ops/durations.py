"""Parsing of durations and rates: `15m`, `5/s`. No I/O."""

import re
from collections.abc import Callable

from shared.errors import PermanentError

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(duration: str) -> float:
    """`90s`, `15m`, `2h` or `1d` in seconds. Raises PermanentError."""
    return _parsed(duration, r"([0-9]+(?:\.[0-9]+)?)([smhd])", "15m, 2h or 1d", lambda unit: UNITS[unit])


def per_second(rate: str) -> float:
    """`5`, or `5/s`. Raises PermanentError unless it is more than 0."""
    number = _parsed(rate, r"([0-9]+(?:\.[0-9]+)?)(/s)?", "5/s", lambda _: 1)
    if not number:
        message = "the rate must be above 0"
        raise PermanentError(message)
    return number


def _parsed(text: str, pattern: str, example: str, factor: Callable[[str], int]) -> float:
    match = re.fullmatch(pattern, text.strip(), re.ASCII)
    if not match:
        message = f"{text!r} is not of the form {example}"
        raise PermanentError(message)
    return float(match[1]) * factor(match[2])
