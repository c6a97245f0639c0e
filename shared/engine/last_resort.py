"""What happens to a message whose handler does not end when its time is over.

Celery's soft time limit is an exception in Python. Code in C that does not return (libpq, polars) never sees it; then
the hard limit kills the process, and with it the reason.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Self


class OverdueError(Exception):
    """The handler did not end, not even by its time limit."""


class LastResort:
    """Unless left within so many seconds, settles the message in a thread and ends the process."""

    def __init__(self, seconds: float, settle: Callable[[], object]) -> None:
        self._settle = settle
        self._first = threading.Lock()  # whoever comes first settles the message
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if not self._first.acquire(blocking=False):
            time.sleep(60)  # until the process ends

    def _end(self) -> None:
        if self._first.acquire(blocking=False):
            try:
                self._settle()
            finally:
                os._exit(1)  # nothing else ends a thread in C
