"""What the parameters of a page, or the fields of a form, ask for: the same filters as on the command line."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.datastructures import ImmutableMultiDict

from services.ops.dlq import filters
from services.ops.quarantine import entries
from shared.errors import PermanentError

Given = ImmutableMultiDict[str, str]

LETTERS = ("queue", "error", "dataset", "run", "older_than", "contains")
RECORDS = ("dataset", "rule", "run", "older_than")
MOST = 1_000  # in a list


def letters(given: Given) -> filters.Filter:
    """Raises PermanentError for what cannot be meant."""
    return filters.asked(filter(None, given.getlist("id")), **{name: text(given, name) for name in LETTERS})


def records(given: Given) -> entries.Filter:
    """Raises PermanentError for what cannot be meant."""
    ids = [whole(one) for one in given.getlist("id") if one]
    return entries.asked(ids, closed="closed" in given, **{name: text(given, name) for name in RECORDS})


def text(given: Given, name: str) -> str | None:
    """A field without the spaces around it; None where nothing is in it."""
    return given.get(name, "").strip() or None


def number(given: Given, name: str) -> int | None:
    """A number above 0. Raises PermanentError."""
    value = text(given, name)
    return whole(value) if value else None


def whole(value: str) -> int:
    """Raises PermanentError for what is no number above 0 that the database holds."""
    if not (value.isascii() and value.isdigit() and 0 < int(value[:20]) < 2**63):
        message = f"{value!r} is not a number above 0"
        raise PermanentError(message)
    return int(value)


def age(given: Given, name: str) -> timedelta | None:
    """`15m`, `2h` or `1d`. Raises PermanentError."""
    value = text(given, name)
    return timedelta(seconds=filters.seconds(value)) if value else None


def fields(given: Given, names: Iterable[str]) -> dict[str, str]:
    """What was given of these, to be shown in the form once more."""
    return {name: given.get(name, "") for name in names}
