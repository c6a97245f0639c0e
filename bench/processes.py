"""CPU and memory of processes, from Linux's /proc.

A process's own time there includes that of its children that have ended and were waited for. So the sum over a tree of
living processes is exact: PostgreSQL's postmaster waits for its backends, Celery's main process for its children.
"""

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")  # a second
MIB = 1 << 20
INTERVAL = 0.05  # s between two looks at memory


def seconds(roots: Iterable[int]) -> float:
    """CPU seconds, user and system, that these processes and all their descendants have used so far."""
    return sum(_seconds(pid) for pid in tree(roots))


def tree(roots: Iterable[int]) -> set[int]:
    """The processes and their living descendants."""
    parents = {int(path.name): _parent(int(path.name)) for path in PROC.iterdir() if path.name.isdecimal()}
    found, grown = set[int](), set(roots)
    while grown - found:
        found |= grown
        grown = {pid for pid, parent in parents.items() if parent in found}
    return found


def peak(pid: int) -> int:
    """The most memory (bytes, resident) that a process ever had; 0 for a dead one."""
    try:
        lines = (PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


class PeakWatch:
    """The peak of the largest process of a tree, while it lasts: children are replaced when they have grown."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots, self._over = tuple(roots), threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(INTERVAL):
            self.peak = max(self.peak, *(peak(pid) for pid in tree(self._roots)))


def _seconds(pid: int) -> float:
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / TICKS if fields else 0.0


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _stat(pid: int) -> list[str]:
    """From the state on, which is the third field of the file; empty for a dead process."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
