"""Slots of EventBridge Scheduler expressions. No I/O."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterBadDateError, CroniterError, croniter

from shared.errors import PermanentError

MAX_MISSED = 1_000  # maximum number of missed slots counted
EXPRESSION = re.compile(r"(at|rate|cron)\((.+)\)", re.ASCII)
RATE = re.compile(r"([1-9][0-9]{0,5}) (minute|hour|day)s?", re.ASCII)
UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def check(expression: str, timezone: str) -> None:
    """Raises PermanentError for an invalid expression or time zone, or one without a future slot."""
    now = datetime.now(UTC)
    if next(slots(expression, timezone, anchor=now, after=now), None) is None:
        message = f"{expression} in {timezone} never comes (again)"
        raise PermanentError(message)


def missed(expression: str, timezone: str, anchor: datetime, after: datetime, until: datetime) -> int:
    """The number of slots after one time up to another, at most `MAX_MISSED`. `anchor` is as in `slots`."""
    times = slots(expression, timezone, anchor, after)
    return sum(1 for _ in islice(_up_to(until, times), MAX_MISSED))


def slots(expression: str, timezone: str, anchor: datetime, after: datetime) -> Iterator[datetime]:
    """The slots after a time, in UTC. A rate counts from `anchor`. Raises PermanentError."""
    match = EXPRESSION.fullmatch(expression.strip())
    try:
        kind, what = (match[1], match[2].strip()) if match else ("", "")
        yield from {"at": _at, "rate": _rate, "cron": _cron}[kind](what, ZoneInfo(timezone), anchor, after)
    except (KeyError, ValueError, ZoneInfoNotFoundError, CroniterError) as error:
        message = (
            f"not a schedule: {expression} in {timezone} (cron(0 7 * * ? *), rate(1 hour), at(2026-12-31T07:00:00))"
        )
        raise PermanentError(message) from error


def _at(what: str, zone: ZoneInfo, _anchor: datetime, after: datetime) -> Iterator[datetime]:
    moment = datetime.strptime(what, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    if moment > after:
        yield moment


def _rate(what: str, _zone: ZoneInfo, anchor: datetime, after: datetime) -> Iterator[datetime]:
    match = RATE.fullmatch(what)
    if not match:
        raise ValueError(what)
    step = int(match[1]) * UNITS[match[2]]
    number = max(1, (after - anchor) // step + 1)
    while True:
        yield anchor + number * step
        number += 1


def _cron(what: str, zone: ZoneInfo, _anchor: datetime, after: datetime) -> Iterator[datetime]:
    """Convert to croniter's order: seconds before the year, weekdays from 0 (AWS counts from 1, Sunday)."""
    minute, hour, day, month, weekday, year = what.split()
    theirs = " ".join((minute, hour, day, month, ",".join(map(_weekday, weekday.split(","))), "0", year))
    times = croniter(theirs, after.astimezone(zone), ret_type=datetime, day_or=False)
    with suppress(CroniterBadDateError):  # no slot is left
        while True:
            yield times.get_next().astimezone(UTC)


def _weekday(field: str) -> str:
    days, slash, step = field.partition("/")
    days, hash_, nth = days.partition("#")
    last = days.endswith("L") and days != "L"
    days = re.sub(r"[0-9]+", lambda number: str(int(number[0]) - 1), days.removesuffix("L") if last else days)
    return f"{'L' if last else ''}{days}{hash_}{nth}{slash}{step}"


def _up_to(until: datetime, times: Iterator[datetime]) -> Iterator[datetime]:
    for moment in times:
        if moment > until:
            return
        yield moment
