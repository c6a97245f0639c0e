"""The simulated job market: which postings are open on which day.

Everything follows from (seed, size, posting number, day), so nothing is stored and any day can be asked for. Postings
are numbered as they open. Of those open, one in 33 closes each day, one in 33 is revised, and as many new ones open.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any, Final

from infra.embedded.simulator import announcement
from infra.embedded.simulator.posting import Change, Life, Posting, draw, number_of

HISTORY_BEGINS: Final = date(2017, 1, 1)  # as far back as the real HistoricJoa reaches
LAST_DAY: Final = date(2059, 12, 31)
LARGEST: Final = 100_000  # postings open at once; more would run out of nine-digit control numbers before the last day
TURNOVER: Final = 33  # days a posting stays open on average; 1/33 is the 3 % seen from one real day to the next
LONGEST: Final = 2 * TURNOVER - 1  # days: the time open is uniform from 1 to this
_CACHED: Final = 2_000  # encoded postings kept: 45 MB
_MASK: Final = 2**64 - 1


class Market:
    """Postings by number and by day. Raises ValueError for a size that control numbers cannot hold."""

    def __init__(self, seed: int, size: int) -> None:
        if not 1 <= size <= LARGEST:
            message = f"a market has 1 to {LARGEST} postings, not {size}"
            raise ValueError(message)
        self.seed, self.size = seed, size
        self.open_on = lru_cache(maxsize=2)(self._open_on)  # newest first, then by control number
        self._encoded = lru_cache(maxsize=_CACHED)(self._encode)

    def open_postings(self, day: date) -> list[str]:
        """The control numbers open on `day`, sorted."""
        return sorted(posting.control_number for posting in self.open_on(day))

    def posting(self, control_number: str, day: date) -> dict[str, Any]:
        """The item of Search results as the API returns it. Raises KeyError for a posting not open on `day`."""
        number = number_of(control_number)
        if number < 0 or not self._opens(number) <= day <= self._closes(number):
            raise KeyError(control_number)
        return announcement.item(self.read(number), day, self.texts(number))

    def encoded(self, posting: Posting, day: date) -> bytes:
        """The same item as JSON."""
        revised = max((when for when, _ in posting.life.revisions if when <= day), default=posting.life.opens)
        return self._encoded(posting.number, revised)

    def opened(self, start: date, end: date) -> range:
        """The numbers of all postings that opened from `start` to `end`, both included."""
        return range(self._opened_before(start), self._opened_before(end + timedelta(days=1)))

    def read(self, number: int) -> Posting:
        """The posting of that number."""
        opens, closes = self._opens(number), self._closes(number)
        life = Life(opens, closes, tuple(self._revisions(number, opens, closes)))
        return draw(number, life, Random(f"{self.seed}/{number}/traits"))

    def texts(self, number: int) -> Random:
        """The draws that make a posting's texts, the same each time."""
        return Random(f"{self.seed}/{number}/texts")

    def _open_on(self, day: date) -> tuple[Posting, ...]:
        window = self.opened(day - timedelta(days=LONGEST), day)
        alive = [self.read(number) for number in window if self._closes(number) >= day]
        return tuple(sorted(alive, key=lambda posting: (-posting.life.opens.toordinal(), posting.number)))

    def _encode(self, number: int, day: date) -> bytes:
        return announcement.encoded(self.read(number), day, self.texts(number))

    def _opened_before(self, day: date) -> int:
        return max(0, (day - HISTORY_BEGINS).days) * self.size // TURNOVER

    def _opens(self, number: int) -> date:
        return HISTORY_BEGINS + timedelta(days=((number + 1) * TURNOVER - 1) // self.size)

    def _closes(self, number: int) -> date:
        return self._opens(number) + timedelta(days=self._mix(number) % LONGEST)

    def _revisions(self, number: int, opens: date, closes: date) -> Iterator[tuple[date, Change]]:
        # Every 33rd day from a start of the posting's own, so that one in 33 has its turn on any day.
        draws = self._mix(number) >> 20
        first = 1 + (draws - opens.toordinal()) % TURNOVER
        for turn, after in enumerate(range(first, (closes - opens).days, TURNOVER)):
            yield opens + timedelta(days=after), tuple(Change)[(draws // TURNOVER + turn) % 3]

    def _mix(self, number: int) -> int:
        mixed = ((number + 1) * 0x9E3779B97F4A7C15 + self.seed * 0xBF58476D1CE4E5B9) & _MASK
        mixed = (mixed ^ mixed >> 30) * 0x94D049BB133111EB & _MASK
        return mixed ^ mixed >> 31


def today() -> date:
    """The day in UTC."""
    return datetime.now(UTC).date()
