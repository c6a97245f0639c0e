"""Where the CPU of smelt in process goes: the share of the gate, and of every function that has one worth naming."""

import cProfile
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import processes
from bench.contenders.in_process import InProcess
from bench.stack import Rig
from bench.workload import Fetch
from services.transformer import gate

OURS = ("services", "shared")
SMALLEST = 0.03  # of the time; less is not shown


@dataclass(frozen=True)
class Line:
    """A function: its share of the profiled time with all that it calls."""

    name: str
    share: float


def gate_share(rig: Rig, fetch: Fetch) -> float:
    """CPU of the gate as a share of all, Postgres included. Not profiled: that would make small calls look dear."""
    contender = InProcess(rig)
    with contender.beginning(), _timed(gate, "run_checks") as judged:
        before = contender.cpu() + processes.seconds([rig.postgres])
        contender.load_in_turn(fetch)
        return judged() / (contender.cpu() + processes.seconds([rig.postgres]) - before)


def profile(rig: Rig, fetch: Fetch) -> list[Line]:
    """Our functions by share, largest first; in the time of Python, waiting for Postgres included."""
    contender, profiler = InProcess(rig), cProfile.Profile()
    with contender.beginning():
        profiler.runcall(contender.load_in_turn, fetch)
    stats = pstats.Stats(profiler)
    total: float = stats.total_tt  # type: ignore[attr-defined]
    found = [
        Line(f"{_module(file)}.{name}", cumulative / total)
        for (file, _, name), (_, _, _, cumulative, _) in stats.stats.items()  # type: ignore[attr-defined]
        if _module(file) and not name.startswith("<") and cumulative / total >= SMALLEST
    ]
    return sorted(found, key=lambda line: -line.share)


def _module(file: str) -> str:
    """`services.loader.copy` for a file of ours, else nothing."""
    parts = Path(file).with_suffix("").parts
    return next(
        (".".join(parts[n:]) for n in range(len(parts)) if parts[n] in OURS and "site-packages" not in parts), ""
    )


@contextmanager
def _timed(module: Any, name: str) -> Iterator[Callable[[], float]]:
    """Replace a function by one that adds up its CPU time."""
    original, used = getattr(module, name), 0.0

    def timed(*arguments: Any, **named: Any) -> Any:
        nonlocal used
        started = time.process_time()
        try:
            return original(*arguments, **named)
        finally:
            used += time.process_time() - started

    setattr(module, name, timed)
    try:
        yield lambda: used
    finally:
        setattr(module, name, original)
