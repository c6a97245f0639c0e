"""The tables of the report, in Markdown."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from statistics import median

from bench.comparison import Sample, Samples
from bench.goals import DLT, Goal
from bench.profile import Line
from bench.requests import Requests, price
from bench.workload import AGAIN, CHANGED, COLD, Workload

PHASES = (COLD, AGAIN, CHANGED)
MET = {True: "yes", False: "**no**", None: "-"}


def of_goals(goals: Iterable[Goal]) -> str:
    """Goal, measured, met or not."""
    rows = [(goal.what, goal.wanted, goal.shown, MET[goal.met]) for goal in goals]
    return _table(("goal", "wanted", "measured", "met"), "lrrl", rows)


def of_comparison(samples: Samples, workload: str) -> str:
    """One workload: rates, CPU and how many times dlt's rate."""
    groups = dict.fromkeys((one.phase, one.contender) for one in samples.every if one.workload == workload)
    header = ("run", "contender", "postings/s", "CPU s for 1,000", "Python + Postgres", "x dlt, default")
    return _table(header, "llrrrr", [_compared(samples, workload, *group) for group in sorted(groups, key=_phase)])


def of_workloads(workloads: Iterable[Workload]) -> str:
    """What was loaded."""
    rows = [
        (one.name, one.origin, f"{one.cold.postings:,}", f"{len(one.cold.pages)}", f"{one.size:,}") for one in workloads
    ]
    return _table(("workload", "from", "postings", "pages", "bytes of JSON a posting"), "llrrr", rows)


def of_requests(requests: Requests) -> str:
    """Every request of a run, by kind, with its price."""
    a_million = 1_000_000 / requests.postings
    rows = [
        (name, f"{times:,}", f"{price(name) * 1_000_000:.2f}", f"{price(name) * times * a_million:.4f}")
        for name, times in requests.counted.items()
    ]
    rows.append(("**all**", f"{sum(requests.counted.values()):,}", "", f"**{requests.dollars:.4f}**"))
    run = f"in a run of {requests.postings:,} postings on {requests.pages} pages"
    return _table(("request", run, "$ a million requests", "$ a million postings"), "lrrr", rows)


def of_profile(lines: Iterable[Line]) -> str:
    """Functions with their share of the time, callees included."""
    return _table(("function", "share"), "lr", [(f"`{line.name}`", f"{line.share:.1%}") for line in lines])


def _compared(samples: Samples, workload: str, phase: str, contender: str) -> Sequence[str]:
    measured = samples.of(workload, phase, contender)
    ratio = samples.faster(workload, phase, contender, DLT)
    return (
        phase,
        contender,
        f"{median(one.rate for one in measured):,.0f}",
        f"{median(one.cpu for one in measured):.3f}",
        f"{_each(measured, attrgetter('python')):.3f} + {_each(measured, attrgetter('postgres')):.3f}",
        "-" if ratio is None else f"{ratio:.1f}",
    )


def _each(measured: Sequence[Sample], part: Callable[[Sample], float]) -> float:
    return median(part(one) / one.postings * 1_000 for one in measured)


def _phase(group: tuple[str, str]) -> tuple[int, str]:
    return PHASES.index(group[0]), group[1]


def _table(header: Sequence[str], alignment: str, rows: Iterable[Sequence[str]]) -> str:
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))
