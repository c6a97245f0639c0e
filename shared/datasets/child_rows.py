"""From lists inside a record to rows of a child table."""

from collections.abc import Iterable

from pydantic import BaseModel

from shared.datasets.contract import Row


def numbered(items: Iterable[BaseModel]) -> list[Row]:
    """In the order of the source. Repeats are kept: two vacancies in one town are two entries."""
    return [{"ordinal": n, **item.__dict__} for n, item in enumerate(items, start=1)]
