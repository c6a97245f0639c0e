"""What must be reached, and whether it was."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.comparison import Samples
from bench.contenders.dlt_pipeline import DEFAULT
from bench.contenders.floor import Floor
from bench.contenders.in_process import InProcess
from bench.contenders.whole_stack import WholeStack
from bench.dead_letters import Cost
from bench.declared import DeclaredCost
from bench.latency import percentiles
from bench.memory import Peaks
from bench.processes import MIB
from bench.requests import Requests
from bench.serving import Serving
from bench.small_files import FileCost
from bench.workload import AGAIN, COLD

IN_PROCESS, WHOLE_STACK, FLOOR, DLT = InProcess.name, WholeStack.name, Floor.name, DEFAULT.name


@dataclass(frozen=True)
class Outcome:
    """Everything that one run of the benchmarks measured; None and empty for what it left out."""

    main: str  # the workload that goals are about
    samples: Samples
    gate_share: float | None = None
    latencies: tuple[float, ...] = ()
    small_file: FileCost | None = None
    declared: DeclaredCost | None = None
    drained: tuple[float, float] | None = None  # postings a second with one loader and with two
    page: Peaks | None = None
    upload: Peaks | None = None
    requests: Requests | None = None
    serving: Serving | None = None
    letters: tuple[Cost, ...] = ()


@dataclass(frozen=True)
class Goal:
    """`met` and `measured` are None where it was not measured."""

    what: str
    wanted: str
    measured: float | None
    met: bool | None
    unit: str

    @property
    def shown(self) -> str:
        """What was measured, with its unit."""
        return "not measured" if self.measured is None else self.unit.format(self.measured)


def goals(outcome: Outcome) -> Iterator[Goal]:
    """In the order of the table."""
    samples, main = outcome.samples, outcome.main
    p95 = percentiles(outcome.latencies)[1] * 1_000 if outcome.latencies else None
    two_loaders = outcome.drained[1] / outcome.drained[0] if outcome.drained else None
    times, mib = "{:.1f} x", "{:.0f} MiB"
    yield _at_least("in process, cold, beside dlt with default settings", 8,
                    samples.faster(main, COLD, IN_PROCESS, DLT), times)  # fmt: skip
    yield _at_most("in process, cold: CPU for 1,000 postings", 0.45, samples.cpu(main, COLD, IN_PROCESS), "{:.2f} s")
    yield _at_least("in process, cold: the floor's CPU as a share of ours", 0.75,
                    samples.thriftier(main, COLD, IN_PROCESS, FLOOR), "{:.0%}")  # fmt: skip
    yield _at_most("in process, cold: CPU of the gate as a share of all", 0.03, outcome.gate_share, "{:.1%}")
    yield _at_least("in process, unchanged, beside dlt", 60, samples.faster(main, AGAIN, IN_PROCESS, DLT), times)
    yield _at_least("whole stack, cold, beside dlt in process", 5, samples.faster(main, COLD, WHOLE_STACK, DLT), times)
    yield _at_most("upload to committed row, one posting, idle stack: 95th percentile", 500, p95, "{:.0f} ms")
    small = outcome.small_file
    yield _at_most("a file of one posting, in process: CPU of transformer and loader", 10,
                   small.transformer + small.loader if small else None, "{:.1f} ms")  # fmt: skip
    yield _at_most("a declared dataset beside a hand-written one: CPU from record to rows", 1.05,
                   outcome.declared.ratio if outcome.declared else None, "{:.2f} x")  # fmt: skip
    yield _at_least("two loaders beside one, on a backlog", 1.5, two_loaders, "{:.2f} x")
    yield _at_most("peak memory of a worker: a page of 500 captured postings", 350, _mib(outcome.page), mib)
    yield _at_most("peak memory of a worker: an upload of 1 GB of JSON lines", 350, _mib(outcome.upload), mib)
    dollars = outcome.requests.dollars if outcome.requests else None
    yield _at_most("SQS and S3 requests for a million postings", 0.05, dollars, "${:.3f}")
    yield from _of_serving(outcome.serving)


def _of_serving(serving: Serving | None) -> Iterator[Goal]:
    over = f"over {serving.postings if serving else 100_000:,} postings, warm: 95th percentile"
    search, near, slower = (serving.search.p95, serving.near.p95, serving.cost.slower) if serving else (None,) * 3
    yield _at_most(f"search by words {over}", 50, search, "{:.0f} ms")
    yield _at_most(f"search around a place {over}", 50, near, "{:.0f} ms")
    yield _at_most("loads while gold is refreshed: slower by", 0.1, slower, "{:.0%}")


def _at_least(what: str, bound: float, measured: float | None, unit: str) -> Goal:
    return Goal(what, f"≥ {unit.format(bound)}", measured, None if measured is None else measured >= bound, unit)


def _at_most(what: str, bound: float, measured: float | None, unit: str) -> Goal:
    return Goal(what, f"≤ {unit.format(bound)}", measured, None if measured is None else measured <= bound, unit)


def _mib(peaks: Peaks | None) -> float | None:
    return max(peaks.transformer, peaks.loader) / MIB if peaks else None
