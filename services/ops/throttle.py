"""Not faster than asked."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def throttled(items: Iterable[T], per_second: float | None) -> Iterator[T]:
    """The items, at most so many a second; without a number as they come."""
    between = 1 / per_second if per_second else 0.0
    turn = time.monotonic()
    for item in items:
        time.sleep(max(0.0, turn - time.monotonic()))
        turn = max(turn, time.monotonic()) + between
        yield item
