"""Limits the rate of iteration."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def throttled(items: Iterable[T], per_second: float | None) -> Iterator[T]:
    """Yields items at no more than `per_second`; unthrottled if None."""
    between = 1 / per_second if per_second else 0.0
    turn = time.monotonic()
    for item in items:
        time.sleep(max(0.0, turn - time.monotonic()))
        turn = max(turn, time.monotonic()) + between
        yield item
