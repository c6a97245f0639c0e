"""smelt in one process: the handlers of transformer and loader over a bucket in memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.contenders.handlers import Handlers
from bench.contents import Contents, contents
from bench.stack import Rig
from bench.workload import AGAIN, CHANGED, COLD, Fetch


class InProcess:
    """A page at a time: refined, then loaded in one transaction."""

    name = "smelt, in process"
    phases = frozenset({COLD, AGAIN, CHANGED})

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With empty tables."""
        self._rig.empty()
        yield

    def load(self, fetch: Fetch) -> None:
        """Both handlers at once, in a thread each. Raises RuntimeError where one does not load."""
        handlers = self.handlers()
        with ThreadPoolExecutor(max_workers=1) as loading:
            under_way = [loading.submit(handlers.load, stored) for stored in handlers.refined(fetch.objects)]
        for one in under_way:
            one.result()

    def load_in_turn(self, fetch: Fetch) -> None:
        """One handler after the other, so that it can be told which of them takes what."""
        handlers = self.handlers()
        for stored in handlers.refined(fetch.objects):
            handlers.load(stored)

    def handlers(self) -> Handlers:
        """With a bucket of their own."""
        return Handlers(self._rig.settings, self._rig.engine, self._rig.sqs)

    def cpu(self) -> float:
        """Of this process."""
        return time.process_time()

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)
