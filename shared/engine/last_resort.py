"""Ends a process whose handler does not return after its time limit.

Celery's soft time limit raises an exception in Python, which never interrupts C code (libpq, polars). The hard limit
then kills the process without recording a reason; this records it first.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Self


class OverdueError(Exception):
    """The handler did not return within its time limit."""


class LastResort:
    """Context manager: unless exited within `seconds`, calls `settle` in a thread and ends the process."""

    def __init__(self, seconds: float, settle: Callable[[], object]) -> None:
        self._settle = settle
        self._first = threading.Lock()  # held by whichever settles the message, handler or timer
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if not self._first.acquire(blocking=False):
            time.sleep(60)  # the timer is ending the process

    def _end(self) -> None:
        if self._first.acquire(blocking=False):
            try:
                self._settle()
            finally:
                os._exit(1)  # the only way to stop a thread running C code
