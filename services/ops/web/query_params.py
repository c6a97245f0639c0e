"""Parsing of page parameters and form fields."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.datastructures import ImmutableMultiDict

from services.ops import durations
from shared.errors import PermanentError

Params = ImmutableMultiDict[str, str]

MAX_ROWS = 1_000  # in a list


def text(params: Params, name: str) -> str | None:
    """The stripped text, or None if empty."""
    return params.get(name, "").strip() or None


def number(params: Params, name: str) -> int | None:
    """A positive number. Raises PermanentError."""
    value = text(params, name)
    return whole(value) if value else None


def whole(value: str) -> int:
    """Parse a positive 63-bit number. Raises PermanentError."""
    if not (value.isascii() and value.isdigit() and 0 < int(value[:20]) < 2**63):
        message = f"{value!r} is not a number above 0"
        raise PermanentError(message)
    return int(value)


def age(params: Params, name: str) -> timedelta | None:
    """`15m`, `2h` or `1d`. Raises PermanentError."""
    value = text(params, name)
    return timedelta(seconds=durations.seconds(value)) if value else None


def fields(params: Params, names: Iterable[str]) -> dict[str, str]:
    """Current values of form fields."""
    return {name: params.get(name, "") for name in names}
