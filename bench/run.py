"""One run of everything, in an order that disturbs little."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import backlog, dead_letters, declared, latency, machine, memory, profile, requests, serving, small_files
from bench.comparison import Sample, Samples, Say, compare, differences
from bench.contenders import dlt_pipeline
from bench.contenders.contender import Contender
from bench.contenders.dlt_pipeline import Dlt
from bench.contenders.floor import Floor, prepared
from bench.contenders.in_process import InProcess
from bench.contenders.two_processes import TwoProcesses
from bench.contenders.whole_stack import WholeStack
from bench.goals import Outcome
from bench.profile import Line
from bench.stack import Rig
from bench.workload import MAKER, PER_PAGE, Workload, from_folder, made, simulated

BACKLOG_PAGE = 250  # postings: pages enough for two loaders to have as much to do


@dataclass(frozen=True)
class Plan:
    """How much is measured. `others` are (workload, postings), loaded in one round only."""

    pages: Path | None = None  # a folder of bronze pages instead of the simulator's
    postings: int = 2_000
    rounds: int = 3
    others: tuple[tuple[str, int], ...] = (("wide", 500), ("captured", 200))
    uploads: int = 30
    small_files: int = 200  # of one posting each
    declared: int = 500  # postings
    backlog: int = 5_000
    run: int = 2_000  # postings of the run whose requests are counted
    gold: int = 100_000  # postings that are searched
    asked: int = 150  # questions of each kind
    letters: int = 10_000  # dead letters that are listed and replayed
    page: bool = True  # peak memory for a captured page
    upload: bool = False  # ... and for an upload of 1 GB, which takes minutes


@dataclass(frozen=True)
class Result:
    """What came of it. `differences` are contents that should be alike and are not."""

    outcome: Outcome
    workloads: tuple[Workload, ...]
    differences: tuple[str, ...]
    left_out: tuple[str, ...]
    profile: tuple[Line, ...]
    machine: str
    letters: int  # dead letters that were listed and replayed


def run(plan: Plan, say: Say) -> Result:
    """Measure all of the plan in a stack of its own."""
    with Rig(plan.run) as rig:
        main = from_folder(plan.pages, plan.postings) if plan.pages else simulated(plan.postings)
        workloads = (main, *_others(rig, plan))
        samples = Samples(
            tuple(
                sample
                for workload in workloads
                for sample in _compared(rig, workload, plan.rounds if workload is main else 1, say)
            )
        )
        say("the gate's share, and a profile")
        share, lines = profile.gate_share(rig, main.cold), profile.profile(rig, main.cold)
        say("latency")
        latencies = latency.measure(rig, plan.uploads)
        say("files of one posting")
        small_file = small_files.measure(rig, plan.small_files)
        say("a declared dataset beside one written by hand")
        declared_cost = declared.measure(plan.declared)
        say("a backlog, with one loader and with two")
        drained = backlog.measure(rig, simulated(plan.backlog, per_page=BACKLOG_PAGE))
        say("requests of a run")
        counted = requests.measure(rig)
        say(f"{plan.letters:,} dead letters")
        letters = dead_letters.measure(rig, plan.letters)
        outcome = Outcome(
            main=main.name,
            samples=samples,
            gate_share=share,
            latencies=tuple(latencies),
            small_file=small_file,
            declared=declared_cost,
            drained=(median(drained[1]), median(drained[2])),
            page=_page_peaks(rig, plan, say),
            upload=_upload_peaks(rig, plan, say),
            requests=counted,
            serving=_serving(rig, plan, say),
            letters=letters,
        )
        found = tuple(line for workload in workloads for line in differences(samples, workload))
        return Result(
            outcome, workloads, found, tuple(_left_out(plan)), tuple(lines), machine.description(rig), plan.letters
        )


def _others(rig: Rig, plan: Plan) -> Iterator[Workload]:
    if MAKER.exists():
        yield from (made(mix, postings, rig.folder) for mix, postings in plan.others)


def _compared(rig: Rig, workload: Workload, rounds: int, say: Say) -> Iterator[Sample]:
    """The first to load, unmeasured, warms this process up and prepares the floor's rows."""
    contenders: list[Contender] = [InProcess(rig), TwoProcesses(rig), WholeStack(rig)]
    if dlt_pipeline.installed():
        contenders += [Dlt(rig, dlt_pipeline.DEFAULT), Dlt(rig, dlt_pipeline.BEST)]
        for contender in contenders[3:]:
            with contender.beginning():
                contender.load(simulated(1).cold)
    with contenders[0].beginning():
        contenders[0].load(workload.cold)
        contenders.insert(1, Floor(rig, prepared(rig)))
    yield from compare(rig, workload, contenders, rounds, say)


def _serving(rig: Rig, plan: Plan, say: Say) -> serving.Serving:
    say(f"what gold costs the loads, and searches of {plan.gold:,} postings")
    return serving.measure(rig, plan.gold, plan.asked)


def _page_peaks(rig: Rig, plan: Plan, say: Say) -> memory.Peaks | None:
    if not plan.page or not MAKER.exists():
        return None
    say("peak memory for a captured page")
    return memory.of_page(rig, made("captured", PER_PAGE, rig.folder / "page"))


def _upload_peaks(rig: Rig, plan: Plan, say: Say) -> memory.Peaks | None:
    if not plan.upload:
        return None
    say("peak memory for an upload of 1 GB")
    return memory.of_upload(rig)


def _left_out(plan: Plan) -> Iterator[str]:
    if not dlt_pipeline.installed():
        yield "dlt, which is not installed (`pip install -r requirements/bench.txt`)"
    if not MAKER.exists():
        yield "wide and captured postings: only the developers have the real page that they are made from"
    if not plan.upload:
        yield "memory for an upload of 1 GB, which takes minutes (`python -m bench --memory`)"
