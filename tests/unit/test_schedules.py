"""Slots of schedules: when they are, and which were missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from services.extractor.run_guard import without_placeholder
from services.ops.schedules import cron
from services.ops.schedules.schedules import Schedule
from services.ops.schedules.status import LastRun, status
from shared.errors import PermanentError
from shared.formats.commands import SCHEDULED_TIME, RunCommand

FRIDAY = datetime(2026, 3, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def times(expression: str, zone: str = "UTC", most: int = 3) -> list[str]:
    """The first slots from Friday, 6 March 2026 on."""
    return [f"{slot:%a %m-%d %H:%M}" for slot in islice(cron.slots(expression, zone, FRIDAY, FRIDAY), most)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 7 * * ? *)", ["Fri 03-06 07:00", "Sat 03-07 07:00", "Sun 03-08 07:00"]),
        ("cron(0 7 ? * 2 *)", ["Mon 03-09 07:00", "Mon 03-16 07:00", "Mon 03-23 07:00"]),  # Sunday is 1
        ("cron(0 7 ? * 2-6 *)", ["Fri 03-06 07:00", "Mon 03-09 07:00", "Tue 03-10 07:00"]),
        ("cron(0 7 ? * MON,WED *)", ["Mon 03-09 07:00", "Wed 03-11 07:00", "Mon 03-16 07:00"]),
        ("cron(0 7 ? * 1/2 *)", ["Sat 03-07 07:00", "Sun 03-08 07:00", "Tue 03-10 07:00"]),
        ("cron(0 7 ? * 3#2 *)", ["Tue 03-10 07:00", "Tue 04-14 07:00", "Tue 05-12 07:00"]),  # the second Tuesday
        ("cron(0 7 ? * 5L *)", ["Thu 03-26 07:00", "Thu 04-30 07:00", "Thu 05-28 07:00"]),  # the last Thursday
        ("cron(0 7 L * ? *)", ["Tue 03-31 07:00", "Thu 04-30 07:00", "Sun 05-31 07:00"]),
        ("cron(0/20 0 6 3 ? 2026)", ["Fri 03-06 00:20", "Fri 03-06 00:40"]),
        ("rate(1 hour)", ["Fri 03-06 01:00", "Fri 03-06 02:00", "Fri 03-06 03:00"]),
        ("rate(2 days)", ["Sun 03-08 00:00", "Tue 03-10 00:00", "Thu 03-12 00:00"]),
        ("at(2026-03-07T12:30:00)", ["Sat 03-07 12:30"]),
    ],
)
def test_slots_are_those_that_eventbridge_scheduler_means(expression: str, expected: list[str]) -> None:
    assert times(expression) == expected


def test_a_slot_keeps_to_its_own_clock_when_that_clock_changes() -> None:
    assert times("cron(0 7 * * ? *)", "America/New_York") == ["Fri 03-06 12:00", "Sat 03-07 12:00", "Sun 03-08 11:00"]


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("daily", "UTC"),
        ("cron(0 7 * * *)", "UTC"),
        ("cron(0 25 * * ? *)", "UTC"),
        ("cron(0 7 31 2 ? *)", "UTC"),
        ("rate(0 hours)", "UTC"),
        ("rate(1 week)", "UTC"),
        ("at(2001-01-01T00:00:00)", "UTC"),
        ("cron(0 7 * * ? *)", "Mars/Olympus"),
    ],
)
def test_a_schedule_that_can_never_come_is_refused(expression: str, zone: str) -> None:
    with pytest.raises(PermanentError):
        cron.check(expression, zone)


def schedule(expression: str = "cron(0 7 * * ? *)", *, enabled: bool = True, since: datetime = FRIDAY) -> Schedule:
    return Schedule("daily", RunCommand(dataset="things"), expression, "UTC", enabled, created=FRIDAY, since=since)


def ran(slot: datetime | None, planned: datetime = FRIDAY) -> LastRun:
    return LastRun("20260306T070000Z-00000000", slot, planned, "complete", "")


def missed(held: Schedule, last: LastRun | None, now: datetime) -> int | None:
    return status(held, last, now).missed


def test_slots_since_the_last_run_that_nothing_came_for_are_missed() -> None:
    assert missed(schedule(), ran(FRIDAY + timedelta(hours=7)), FRIDAY + timedelta(hours=12)) == 0
    assert missed(schedule(), ran(FRIDAY + timedelta(hours=7)), FRIDAY + 3 * DAY) == 2


def test_a_slot_is_given_half_an_hour_before_it_counts_as_missed() -> None:
    seven = FRIDAY + timedelta(hours=7)
    assert missed(schedule(), None, seven + timedelta(minutes=29)) == 0
    assert missed(schedule(), None, seven + timedelta(minutes=30)) == 1


def test_a_run_whose_slot_nobody_filled_in_stands_for_the_slots_before_it() -> None:
    assert missed(schedule(), ran(None, FRIDAY + 2 * DAY), FRIDAY + 2 * DAY + timedelta(hours=7)) == 0
    assert missed(schedule(), ran(None, FRIDAY), FRIDAY + 2 * DAY + timedelta(hours=8)) == 3


def test_what_was_to_be_before_a_schedule_was_made_or_resumed_was_not_missed() -> None:
    assert missed(schedule(since=FRIDAY + 5 * DAY), ran(FRIDAY), FRIDAY + 5 * DAY + timedelta(hours=1)) == 0


def test_a_paused_schedule_misses_nothing_and_has_no_next_slot() -> None:
    found = status(schedule(enabled=False), None, FRIDAY + 9 * DAY)
    assert (found.missed, found.next) == (0, None)


def test_the_slots_of_an_expression_that_we_do_not_know_are_unknown_and_not_none() -> None:
    found = status(schedule("cron(0 7 LW * ? *)"), None, FRIDAY + 99 * DAY)
    assert (found.missed, found.next) == (None, None)


def test_missed_slots_are_counted_up_to_a_bound() -> None:
    assert missed(schedule("rate(1 minute)"), None, FRIDAY + 99 * DAY) == cron.MAX_MISSED


def test_a_slot_that_the_scheduler_did_not_fill_in_is_none() -> None:
    told = RunCommand(dataset="things", scheduled_for=SCHEDULED_TIME)
    assert without_placeholder(told).scheduled_for is None
    filled = told.model_copy(update={"scheduled_for": "2026-03-06T07:00:00Z"})
    assert without_placeholder(filled) == filled
