"""What every contender can do."""

from contextlib import AbstractContextManager
from typing import Protocol

from bench.contents import Contents
from bench.workload import Fetch


class Contender(Protocol):
    """Loads what it is given, beginning with nothing."""

    name: str
    phases: frozenset[str]  # of a workload that it can take part in

    def beginning(self) -> AbstractContextManager[None]:
        """With empty tables and everything running that it needs."""

    def load(self, fetch: Fetch, /) -> None:
        """From the run's pages in memory to committed rows."""

    def cpu(self) -> float:
        """Seconds of CPU used so far by the processes that do the work, without Postgres."""

    def contents(self) -> Contents:
        """What is in its tables."""
