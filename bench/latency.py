"""From an upload to its committed row, while nothing else goes on."""

import time
from collections.abc import Sequence
from statistics import quantiles

import orjson
from sqlalchemy import text

from bench import workers
from bench.stack import Rig
from bench.workload import KEY, answer, simulated_pages

PAUSE = 0.15  # s between two uploads: nothing is under way any more
LOOK = 0.003  # s between two looks at the table
LANDED = text("select exists (select from silver.job where control_number = :control_number)")


def measure(rig: Rig, uploads: int) -> list[float]:
    """Seconds, of one posting each, with one transformer and one loader."""
    rig.empty()
    with workers.started(rig):
        workers.warm_up(rig)
        postings = [posting for page in simulated_pages(uploads) for posting in page]
        return [_one(rig, posting) for posting in postings]


def percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 95th."""
    cut = quantiles(seconds, n=20, method="inclusive")
    return cut[9], cut[18]


def _one(rig: Rig, posting: bytes) -> float:
    time.sleep(PAUSE)
    number = int(orjson.loads(posting)[KEY])
    started = time.perf_counter()
    workers.upload(rig, f"{number}.json", answer([posting], 1, 1))
    with rig.engine.connect() as connection:
        looking = connection.execution_options(isolation_level="AUTOCOMMIT")
        workers.await_true(lambda: bool(looking.scalar(LANDED, {"control_number": number})), LOOK)
    return time.perf_counter() - started
