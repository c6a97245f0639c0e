"""smelt as it is deployed: pages are put into S3, whose events lead real workers to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from bench import processes, workers
from bench.contents import Contents, contents
from bench.stack import Rig
from bench.workload import AGAIN, CHANGED, COLD, Fetch
from shared.storage import objects

COMPLETE = text("select completed_at is not null from ops.run where run_id = :run_id")


class WholeStack:
    """One transformer and one loader. The CPU of the emulator, which stands in for AWS, does not count."""

    name = "smelt, whole stack"
    phases = frozenset({COLD, AGAIN, CHANGED})

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._workers: list[int] = []

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """With workers that have worked before, and empty tables."""
        self._rig.empty()
        with workers.started(self._rig) as self._workers:
            workers.warm_up(self._rig)
            yield

    def load(self, fetch: Fetch) -> None:
        """Until the run is complete: all its pages are in the ledger."""
        for key, body in fetch.objects:
            objects.put(self._rig.s3, self._rig.bucket, key, body, "application/gzip")
        workers.await_true(lambda: self._complete(fetch.plan.run_id))

    def cpu(self) -> float:
        """Of the workers, with their children."""
        return processes.seconds(self._workers)

    def contents(self) -> Contents:
        """What is in smelt's tables."""
        with self._rig.engine.connect() as connection:
            return contents(connection)

    def _complete(self, run_id: str) -> bool:
        with self._rig.engine.connect() as connection:
            return bool(connection.scalar(COMPLETE, {"run_id": run_id}))
