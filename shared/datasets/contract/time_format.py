"""Formats of dates and times in a contract: patterns of Java's DateTimeFormatter, and numbers since 1970."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from shared.errors import PermanentError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCHS: Mapping[str, str] = {"epoch-seconds": "seconds", "epoch-milliseconds": "milliseconds"}
# {a pattern's letters: the directive of strptime}
DIRECTIVES: Mapping[str, str] = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "EEEE": "%A", "EEE": "%a", "E": "%a", "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M",
    "ss": "%S", "s": "%S", "a": "%p", "XXX": "%z", "XX": "%z", "X": "%z", "Z": "%z", "xxx": "%z",
}  # fmt: skip
TOKEN = re.compile(r"'(?P<quoted>[^']*)'|(?P<fraction>S+)|(?P<letters>([A-Za-z])\4*)|(?P<other>.)")


def parser(format_: str) -> Callable[[Any], datetime | None]:
    """The function that reads such a value; blank ones are None. Raises PermanentError for an unknown format."""
    if unit := EPOCHS.get(format_):
        return lambda value: _since_1970(value, unit)
    directives = to_strptime(format_)
    return lambda value: _parsed(value, directives, format_)


def to_strptime(format_: str) -> str:
    """A pattern in the directives of strptime. Raises PermanentError for letters that have none."""
    return "".join(_directive(match, format_) for match in TOKEN.finditer(format_))


def _directive(match: re.Match[str], format_: str) -> str:
    if match["quoted"] is not None:
        return match["quoted"].replace("%", "%%") or "'"
    if match["fraction"]:
        return "%f"
    if letters := match["letters"]:
        if letters not in DIRECTIVES:
            message = (
                f"format {format_!r}: {letters} is none of {', '.join(DIRECTIVES)}, S; or one of {', '.join(EPOCHS)}"
            )
            raise PermanentError(message)
        return DIRECTIVES[letters]
    return match["other"].replace("%", "%%")


def _parsed(value: Any, directives: str, format_: str) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    text = str(value).strip()
    try:
        return datetime.strptime(text, directives) if text else None  # noqa: DTZ007 - as the format has it
    except ValueError as error:
        raise PydanticCustomError("datetime_format", "is not of the format {format}", {"format": format_}) from error


def _since_1970(value: Any, unit: str) -> datetime | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        return EPOCH + timedelta(**{unit: float("not a number" if isinstance(value, bool) else value)})
    except (ValueError, TypeError, OverflowError) as error:
        raise PydanticCustomError("datetime_format", "is no number of {unit} since 1970", {"unit": unit}) from error
