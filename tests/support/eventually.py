"""Waiting for what real processes do: for the event itself, not for a number of seconds."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")
POLL_SECONDS = 0.1


def eventually(look: Callable[[], T | None], seconds: float = 60) -> T:
    """The first truthy value that `look` returns; the test fails if it returns none in so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := look():
            return value
        time.sleep(POLL_SECONDS)
    pytest.fail(f"did not happen within {seconds:.0f} s")
