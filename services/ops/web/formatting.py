"""Formatting of values for the console. None is shown as unknown. No I/O."""

import json
from datetime import datetime
from typing import Final

UNKNOWN: Final = "unknown"
SIZES: Final = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def moment(at: datetime) -> str:
    """A time to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def duration(seconds: float | None) -> str:
    """A duration: 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds is None:
        return UNKNOWN
    for size, unit, smaller_size, smaller in SIZES:
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // smaller_size:.0f} {smaller}"
    return f"{max(seconds, 0):.1f} s"


def number(figure: float | None) -> str:
    """A number with thousands separators."""
    return UNKNOWN if figure is None else f"{figure:,}"


def rate(per_second: float | None) -> str:
    """A rate per second."""
    return UNKNOWN if per_second is None else f"{per_second:,.1f}/s"


def counted(figure: int, what: str) -> str:
    """`1 reason`, `12 reasons`."""
    return f"{figure:,} {what}{'' if figure == 1 else 's'}"


def value(of: object) -> str:
    """Text unchanged, anything else as JSON."""
    return of if isinstance(of, str) else json.dumps(of, ensure_ascii=False)
