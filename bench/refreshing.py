"""What gold costs the loads: while it is refreshed, and the versions that a trigger keeps of what is replaced."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median

from sqlalchemy import Connection, text

from bench.contenders.in_process import InProcess
from bench.stack import Rig
from bench.workload import Fetch, simulated
from services.serving.gold import refresh as gold
from shared.database.migrate import engine_of

REFRESHED, LOADED = 1_000, 1_500  # postings; the ones are loaded while the others are refreshed
PER_PAGE = 100
ORDER = (False, True, True, False, False, True)  # refreshing or not
REPLACED = 500  # postings of one transaction
TIMES = 5
REPLACE = text("""
    delete from silver.job
    where control_number in (select control_number from silver.job order by control_number limit :most)
""")


@dataclass(frozen=True)
class Cost:
    """Loads in postings a second, the loader alone; `kept` are seconds for keeping one replaced posting."""

    alone: float
    refreshing: float
    kept: float

    @property
    def slower(self) -> float:
        """How much slower loads are while gold is refreshed, as a share."""
        return max(0.0, 1 - self.refreshing / self.alone)


def measure(rig: Rig) -> Cost:
    """Leaves postings in silver and in gold. Rates are the best of each: what else goes on makes them only worse."""
    loads = InProcess(rig)
    with loads.beginning():
        before, loaded = (simulated(postings, PER_PAGE).cold for postings in (REFRESHED, LOADED))
        load_before, load = _prepared(loads, before), _prepared(loads, loaded)
    took: dict[bool, list[float]] = {False: [], True: []}
    for refreshing in ORDER:
        with loads.beginning():
            load_before()
        took[refreshing].append(_took(rig, load, refreshing=refreshing))
    with rig.engine.connect() as connection:
        kept = median(_replaced(connection, "enable") - _replaced(connection, "disable") for _ in range(TIMES))
    alone, refreshed = (loaded.postings / min(took[refreshing]) for refreshing in (False, True))
    return Cost(alone, refreshed, max(0.0, kept) / REPLACED)


def _prepared(loads: InProcess, fetch: Fetch) -> Callable[[], None]:
    """A load of all of the fetch. Only what the loader does is measured: what it loads is refined before."""
    handlers = loads.handlers()
    stored = [*handlers.refined(fetch.objects)]

    def load() -> None:
        for one in stored:
            handlers.load(one)

    return load


def _took(rig: Rig, load: Callable[[], None], *, refreshing: bool) -> float:
    """Seconds for a load, while gold takes in what was there before, or is left alone."""
    with rig.engine.begin() as connection:
        connection.execute(text("truncate gold.posting_stored, gold.posting_location, gold.freshness"))
    rig.settle()
    with _refreshed(rig) if refreshing else nullcontext():
        started = time.perf_counter()
        load()
        return time.perf_counter() - started


@contextmanager
def _refreshed(rig: Rig) -> Iterator[None]:
    """Gold is refreshed meanwhile, by a connection as the serving process has it."""
    owner = engine_of(rig.database_url)
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(gold.refresh, owner, always=True)
        yield
        under_way.result()
    owner.dispose()


def _replaced(connection: Connection, trigger: str) -> float:
    """Seconds for deleting postings as the loader does for the changed ones, taken back again."""
    with connection.begin() as transaction:
        connection.execute(text(f"alter table silver.job {trigger} trigger keep_version"))
        started = time.perf_counter()
        connection.execute(REPLACE, {"most": REPLACED})
        took = time.perf_counter() - started
        transaction.rollback()
    return took
