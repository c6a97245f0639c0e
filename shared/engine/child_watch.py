"""Ends a worker one of whose child processes shows no sign of life, so that whatever supervises it starts it again.

Celery replaces a child that dies, and kills one whose task outlives its time limit. A child that was stopped (SIGSTOP)
or holds Python's lock in C code does neither, and one that was idle then holds the lock that all children read tasks
under, so that no other process of the worker gets work. Hence the whole worker ends, not just the child.
"""

import contextlib
import os
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

BEAT_SECONDS: Final = 5.0
SILENCE_LIMIT_SECONDS = 90.0  # by then a message that the child held is visible to other workers


class ChildWatch:
    """Children touch a file each; the parent looks at all of them. Made before the fork."""

    def __init__(self, silence_limit: float | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="smelt-children-")
        self._silence_limit = silence_limit or SILENCE_LIMIT_SECONDS
        self._beat = min(BEAT_SECONDS, self._silence_limit / 4)

    def start_in_child(self) -> None:
        """Show signs of life from here on."""
        threading.Thread(target=self._touch, args=(self._file(os.getpid()),), name="signs of life", daemon=True).start()

    def start_in_parent(self) -> None:
        """Watch the children from here on."""
        threading.Thread(target=self._watch_until_end, name="child watch", daemon=True).start()

    def _watch_until_end(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # the folder goes when the worker ends
            self._watch()

    def _touch(self, file: Path) -> None:
        while True:
            file.touch()
            time.sleep(self._beat)

    def _watch(self) -> None:
        signs: dict[int, tuple[float, float]] = {}  # of a child: its file's time, and when we first saw that
        while True:
            signs = {pid: self._sign(pid, signs.get(pid)) for pid in self._children()}
            silent = [pid for pid, (_, since) in signs.items() if time.monotonic() - since > self._silence_limit]
            if silent:
                self._end(silent, list(signs))
            time.sleep(self._beat)

    def _children(self) -> list[int]:
        """Those alive; the files of others are removed."""
        pids = [int(file.name) for file in Path(self._folder.name).iterdir()]
        for pid in pids:
            if not _is_alive(pid):
                self._file(pid).unlink(missing_ok=True)
        return [pid for pid in pids if self._file(pid).exists()]

    def _sign(self, pid: int, before: tuple[float, float] | None) -> tuple[float, float]:
        """Compared for change only: the clock of files jumps when a machine wakes up."""
        touched = self._file(pid).stat().st_mtime
        return before if before and before[0] == touched else (touched, time.monotonic())

    def _end(self, silent: list[int], children: list[int]) -> None:
        log.error("worker.child_silent", children=silent, seconds=self._silence_limit)
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(1)  # an orderly stop would wait for the child

    def _file(self, pid: int) -> Path:
        return Path(self._folder.name) / str(pid)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
