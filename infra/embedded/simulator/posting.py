"""One posting: what both endpoints say of it, and how it changes from day to day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from infra.embedded.simulator.codes import (
    AGENCIES,
    CLEARANCES,
    HIRING_PATHS,
    OFFERINGS,
    SCHEDULES,
    SERIES,
    TRAVEL,
    Agency,
    Series,
)
from infra.embedded.simulator.places import CITIES, GAZETTEER

T = TypeVar("T")

_FIRST_CONTROL_NUMBER: Final = 500_000_000
_STEP: Final = 10  # control numbers have gaps, as the real ones do

# How many duty stations postings have, of 1,000: most have one, a few name a whole region.
_PLACE_COUNTS: Final = {1: 832, 2: 60, 3: 22, 4: 13, 5: 10, 6: 13, 8: 5, 11: 17, 14: 4, 24: 4, 39: 8, 76: 8, 94: 4}
_PLACES_OF: Final = tuple(count for count, postings in _PLACE_COUNTS.items() for _ in range(postings))
_GIANT: Final = 1_176  # duty stations of every thousandth posting, as in half of the results of a city search
_SINGLE_PLACES: Final = (*(0,) * 15, *range(len(CITIES)))  # many are in Washington
_SCHEDULES: Final = (*("1",) * 20, *SCHEDULES)  # most are full-time
_OFFERINGS: Final = (*("15317",) * 20, *OFFERINGS)  # and permanent
_CLEARANCES: Final = tuple(CLEARANCES)
_TRAVEL: Final = tuple(TRAVEL)
_HIRING_PATHS: Final = tuple(HIRING_PATHS)
_SPECIALTIES: Final = (
    "", "", "", "", " (Policy)", " (Direct Hire)", " (Operations)", " (Training)", " (Field Support)", " (Systems)",
    " (Data Management)", " (Planning)", " (12-month register)",
)  # fmt: skip


class Change(StrEnum):
    """What a revision of an open posting alters."""

    PAY = "pay"
    DEADLINE = "deadline"
    TITLE = "title"


@dataclass(frozen=True, slots=True)
class Life:
    """The first and the last day a posting is open, and what was revised on which day between."""

    opens: date
    closes: date
    revisions: tuple[tuple[date, Change], ...]


@dataclass(frozen=True, slots=True)
class Posting:
    """What does not depend on the day; `places` are indexes into the gazetteer."""

    number: int
    life: Life
    agency: Agency
    series: tuple[Series, ...]
    title: str
    places: tuple[int, ...]
    grades: tuple[int, int]
    hourly: bool
    schedule: str
    offering: str
    clearance: str
    travel: str
    hiring_paths: tuple[str, ...]
    telework: bool
    relocation: bool
    drug_test: bool

    @property
    def control_number(self) -> str:
        """Nine digits, unique."""
        return str(_FIRST_CONTROL_NUMBER + self.number * _STEP)

    @property
    def announcement_number(self) -> str:
        """PositionID in Search. Not unique: one in forty carries that of the posting before."""
        shared = self.number - (self.number % 40 == 1)
        return f"{['DE', 'MP', 'ST', 'AG'][shared % 4]}-{12_000_000 + shared}-{shared * 7919 % 1000:03d}"

    @property
    def rate(self) -> str:
        """The code of the rate interval."""
        return "PH" if self.hourly else "PA"

    @property
    def pay_plan(self) -> str:
        """WG by the hour; else GS, or FV where letters are grades."""
        return "WG" if self.hourly else "FV" if self.agency.code == "TD03" else "GS"

    @property
    def grade_names(self) -> tuple[str, str]:
        """Lowest and highest grade: numbers without leading zeros, or letters in plan FV."""
        low, high = self.grades
        return (chr(65 + low), chr(65 + high)) if self.pay_plan == "FV" else (str(low), str(high))

    def changes(self, day: date) -> list[Change]:
        """The revisions made up to and including `day`."""
        return [change for when, change in self.life.revisions if when <= day]

    def title_on(self, day: date) -> str:
        """The title, which says so when it was revised."""
        return f"{self.title} - AMENDED" if Change.TITLE in self.changes(day) else self.title

    def deadline_on(self, day: date) -> date:
        """The close date announced on `day`. Where it is extended later, the first one is the day of the extension."""
        extensions = (when for when, change in self.life.revisions if change is Change.DEADLINE and when > day)
        return next(extensions, self.life.closes)

    def pay_on(self, day: date) -> tuple[float, float]:
        """Lowest and highest pay in dollars, an hour or a year."""
        raised = 1.02 ** self.changes(day).count(Change.PAY)
        low, high = (27_000 * 1.14 ** (grade - 2) * raised + self.number % 997 for grade in self.grades)
        return (round(low / 2087, 2), round(high / 1739, 2)) if self.hourly else (round(low), round(high * 1.3))


def number_of(control_number: str) -> int:
    """The posting number behind a control number, negative where there is none. Raises ValueError for no number."""
    number, between = divmod(int(control_number) - _FIRST_CONTROL_NUMBER, _STEP)
    return -1 if between else number


def draw(number: int, life: Life, random: Random) -> Posting:
    """The posting of that number."""
    series = tuple(dict.fromkeys(pick(random, SERIES) for _ in range(pick(random, (1, 1, 1, 1, 1, 1, 2, 4)))))
    low = pick(random, range(2, 14))
    return Posting(
        number=number,
        life=life,
        agency=pick(random, AGENCIES),
        series=series,
        title=f"{pick(random, ('', '', '', 'Supervisory ', 'Lead '))}{series[0].title}{pick(random, _SPECIALTIES)}",
        places=_places(number, random),
        grades=(low, low + pick(random, (0, 0, 0, 1, 2))),
        hourly=pick(random, range(10)) == 0,
        schedule=pick(random, _SCHEDULES),
        offering=pick(random, _OFFERINGS),
        clearance=pick(random, _CLEARANCES),
        travel=pick(random, _TRAVEL),
        hiring_paths=_some(random, _HIRING_PATHS, pick(random, (1, 1, 2, 3, 4, 6))),
        telework=pick(random, (True, False)),
        relocation=pick(random, (True, False, False, False)),
        drug_test=pick(random, (True, False, False, False)),
    )


def pick(random: Random, choices: Sequence[T]) -> T:
    """One of the choices."""
    # Only random() is promised to draw the same in every version of Python; choice() and sample() are not.
    return choices[int(random.random() * len(choices))]


def _some(random: Random, choices: Sequence[T], count: int) -> tuple[T, ...]:
    """So many different ones of the choices."""
    found: dict[T, None] = {}
    while len(found) < count:
        found[pick(random, choices)] = None
    return tuple(found)


def _places(number: int, random: Random) -> tuple[int, ...]:
    count = _GIANT if number % 1000 == 0 else pick(random, _PLACES_OF)
    if count == 1:
        return (pick(random, _SINGLE_PLACES),)
    places = _some(random, range(len(GAZETTEER)), count)
    return (*places, places[0]) if pick(random, range(20)) == 0 else places  # now and then one is named twice
