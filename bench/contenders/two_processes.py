"""smelt's handlers in two processes, as its workers are processes: each refines and loads pages of its own."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from multiprocessing.pool import Pool
from multiprocessing.synchronize import Barrier
from typing import cast

import boto3
from pydantic import SecretStr

from bench import processes
from bench.contenders.handlers import Handlers
from bench.contents import Contents, contents
from bench.stack import Rig
from bench.workload import AGAIN, CHANGED, COLD, Fetch
from shared import telemetry
from shared.config.settings import load_settings
from shared.config.topology import BRONZE_PREFIX
from shared.database.engine import connect
from shared.engine.gc_tuning import tune_gc

PATIENCE = 60.0  # s for the other process to be ready
PROCESSES = 2  # one for each core of the machine that the goals are about


class TwoProcesses:
    """The plan first, then the pages, each taken by whichever process is free."""

    name = "smelt, two processes"
    phases = frozenset({COLD, AGAIN, CHANGED})

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._pool: Pool
        self._ids: list[int] = []

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With empty tables and processes that are ready."""
        self._rig.empty()
        context = get_context("spawn")
        with context.Pool(PROCESSES) as self._pool, context.Manager() as manager:
            together = cast("Barrier", manager.Barrier(PROCESSES))
            self._ids = self._pool.map(_ready, [together] * PROCESSES, chunksize=1)
            yield

    def load(self, fetch: Fetch) -> None:
        """Raises RuntimeError where a page is not loaded."""
        pages = [[(key, body)] for key, body in fetch.objects if key.startswith(BRONZE_PREFIX)]
        self._pool.apply(_take, [[(key, body) for key, body in fetch.objects if not key.startswith(BRONZE_PREFIX)]])
        self._pool.map(_take, pages, chunksize=1)

    def cpu(self) -> float:
        """Of both."""
        return processes.seconds(self._ids)

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)


def _ready(together: Barrier) -> int:
    """Each process is asked once: the first waits for the other."""
    telemetry.configure("bench", "ERROR")
    tune_gc()
    _handlers()()
    together.wait(PATIENCE)
    return os.getpid()


def _take(objects: Sequence[tuple[str, bytes]]) -> None:
    handlers = _handlers()()
    for stored in handlers.refined(objects):
        handlers.load(stored)


@cache
def _handlers() -> "partial[Handlers]":
    """What makes handlers, with the connections of this process. Its environment is that of the rig."""
    settings = load_settings()
    return partial(Handlers, settings, connect(cast("SecretStr", settings.database_url), "bench"), boto3.client("sqs"))
