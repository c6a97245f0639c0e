"""Dates in the params of a run: `{today}`, `{today-7d}`, `{now}`, `{now-1h}`, in UTC."""

import re
from datetime import UTC, datetime, timedelta

DATE = re.compile(r"\{(today|now)(?:-(\d{1,6})([dhm]))?\}")
UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
FORMATS = {"today": "%Y-%m-%d", "now": "%Y-%m-%dT%H:%M:%SZ"}


def with_dates(text: str) -> str:
    """The text with the dates of now."""
    now = datetime.now(UTC)

    def date(match: re.Match[str]) -> str:
        back = int(match[2]) * UNITS[match[3]] if match[2] else timedelta(0)
        return (now - back).strftime(FORMATS[match[1]])

    return DATE.sub(date, text)
