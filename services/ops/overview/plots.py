"""Readings over the last minutes as lines to draw. Pure. What is unknown is a gap, and never 0."""

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
    """Lines as SVG has them, in a box of COLUMNS - 1 by HEIGHT. `now` and `most` are None where nothing is known."""

    lines: tuple[str, ...]
    now: float | None
    most: float | None


def plot(moments: Sequence[TimedStatus], what: str, until: datetime) -> Plot:
    """One of a queue's figures, the highest of each column up to now."""
    readings: list[tuple[datetime, float | None]] = [(at, getattr(flow, what)) for at, flow in moments]
    columns = _columns(readings, until)
    known = [value for value in columns if value is not None]
    most = max(known, default=None)
    newest = readings[-1] if readings else (until, None)
    return Plot(tuple(_lines(columns, most or 1.0)), newest[1] if until - newest[0] < 2 * COLUMN else None, most)


def _columns(readings: Iterable[tuple[datetime, float | None]], until: datetime) -> list[float | None]:
    columns: list[float | None] = [None] * COLUMNS
    for at, value in readings:
        place = COLUMNS - 1 - int((until - at) / COLUMN)
        if value is not None and 0 <= place < COLUMNS:
            held = columns[place]
            columns[place] = value if held is None else max(held, value)
    return columns


def _lines(columns: Sequence[float | None], top: float) -> Iterable[str]:
    """Each stretch of known columns; one that stands alone is as wide as half a column."""
    stretch: list[str] = []
    for place, value in enumerate([*columns, None]):
        if value is not None:
            stretch.append(f"{place},{HEIGHT - value / top * HEIGHT:.1f}")
        elif stretch:
            x, y = stretch[0].split(",")
            yield " ".join(stretch) if len(stretch) > 1 else f"{x},{y} {float(x) + 0.5},{y}"
            stretch = []
