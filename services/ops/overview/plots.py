"""Plots of the last minutes as SVG lines. No I/O. Unknown values are gaps, not 0."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.ops.queues.monitor import TimedStatus

COLUMNS: Final = 60
COLUMN: Final = timedelta(seconds=10)
HEIGHT: Final = 30


@dataclass(frozen=True)
class Plot:
    """SVG polylines in a box of COLUMNS - 1 by HEIGHT. `now` and `most` are None if unknown."""

    lines: tuple[str, ...]
    now: float | None
    most: float | None


def plot(moments: Sequence[TimedStatus], what: str, until: datetime) -> Plot:
    """Plot an attribute of a queue's history, the maximum of each column."""
    readings: list[tuple[datetime, float | None]] = [(at, getattr(flow, what)) for at, flow in moments]
    columns = _columns(readings, until)
    values = [value for value in columns if value is not None]
    most = max(values, default=None)
    newest = readings[-1] if readings else (until, None)
    return Plot(tuple(_lines(columns, most or 1.0)), newest[1] if until - newest[0] < 2 * COLUMN else None, most)


def _columns(readings: Iterable[tuple[datetime, float | None]], until: datetime) -> list[float | None]:
    columns: list[float | None] = [None] * COLUMNS
    for at, value in readings:
        place = COLUMNS - 1 - int((until - at) / COLUMN)
        if value is not None and 0 <= place < COLUMNS:
            highest = columns[place]
            columns[place] = value if highest is None else max(highest, value)
    return columns


def _lines(columns: Sequence[float | None], top: float) -> Iterable[str]:
    """A line for each run of known columns; a single one is half a column wide."""
    stretch: list[str] = []
    for place, value in enumerate([*columns, None]):
        if value is not None:
            stretch.append(f"{place},{HEIGHT - value / top * HEIGHT:.1f}")
        elif stretch:
            x, y = stretch[0].split(",")
            yield " ".join(stretch) if len(stretch) > 1 else f"{x},{y} {float(x) + 0.5},{y}"
            stretch = []
