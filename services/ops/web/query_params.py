"""Values out of the parameters of a page, or the fields of a form."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.datastructures import ImmutableMultiDict

from services.ops import durations
from shared.errors import PermanentError

Params = ImmutableMultiDict[str, str]

MOST = 1_000  # in a list


def text(params: Params, name: str) -> str | None:
    """A field without the spaces around it; None where nothing is in it."""
    return params.get(name, "").strip() or None


def number(params: Params, name: str) -> int | None:
    """A number above 0. Raises PermanentError."""
    value = text(params, name)
    return whole(value) if value else None


def whole(value: str) -> int:
    """Raises PermanentError for what is no number above 0 that the database holds."""
    if not (value.isascii() and value.isdigit() and 0 < int(value[:20]) < 2**63):
        message = f"{value!r} is not a number above 0"
        raise PermanentError(message)
    return int(value)


def age(params: Params, name: str) -> timedelta | None:
    """`15m`, `2h` or `1d`. Raises PermanentError."""
    value = text(params, name)
    return timedelta(seconds=durations.seconds(value)) if value else None


def fields(params: Params, names: Iterable[str]) -> dict[str, str]:
    """What was params of these, to be shown in the form once more."""
    return {name: params.get(name, "") for name in names}
