"""Entry points of packages that may not be imported directly."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any


def load(group: str) -> Iterator[Any]:
    """The objects of a group. Entry points of packages that are not installed (in production images) are skipped."""
    for entry in entry_points(group=group):
        if find_spec(entry.module.partition(".")[0]):
            yield entry.load()
