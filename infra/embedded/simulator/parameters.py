"""Reading query parameters the way the API does: names in any case, unknown ones ignored, lists split by semicolons."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime


class BadParameterError(ValueError):
    """A value that the API answers with 400."""


class Parameters:
    """The parameters of one request; an absent or empty one reads as the default."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values = {name.lower(): value.strip() for name, value in pairs}

    def replaced(self, name: str, value: str) -> dict[str, str]:
        """All parameters, one of them with another value."""
        return {**self._values, name.lower(): value}

    def text(self, name: str) -> str:
        """The value, or nothing."""
        return self._values.get(name.lower(), "")

    def listed(self, name: str) -> frozenset[str]:
        """The values, in capitals."""
        return frozenset(value.strip().upper() for value in self.text(name).split(";") if value.strip())

    def whole(self, name: str, default: int, low: int, high: int | None = None) -> int:
        """A whole number. Raises BadParameterError below `low` and above `high`."""
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit()) or int(value) < low or (high is not None and int(value) > high):
            message = f"{name} must be a whole number from {low}{'' if high is None else f' to {high}'}"
            raise BadParameterError(message)
        return int(value)

    def day(self, name: str) -> date | None:
        """A date, MM-DD-YYYY or YYYY-MM-DD. Raises BadParameterError for anything else."""
        value = self.text(name)
        for form in ("%m-%d-%Y", "%Y-%m-%d"):
            with suppress(ValueError):
                return datetime.strptime(value, form).date()  # noqa: DTZ007 - a date has no time zone
        if value:
            message = f"{name} must be a date, MM-DD-YYYY"
            raise BadParameterError(message)
        return None
