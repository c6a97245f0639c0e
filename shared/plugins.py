"""Objects that packages register as entry points, for code that must not import those packages."""

from collections.abc import Iterator
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any


def load(group: str) -> Iterator[Any]:
    """Every object of a group. Those of a package that is not installed, as in a production image, are left out."""
    for entry in entry_points(group=group):
        if find_spec(entry.module.partition(".")[0]):
            yield entry.load()
