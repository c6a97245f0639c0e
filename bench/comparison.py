"""All contenders in turn, in one run, so that what disturbs the machine disturbs all of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from bench import processes
from bench.contenders.contender import Contender
from bench.contents import Contents
from bench.stack import Rig
from bench.workload import Fetch, Workload

Say = Callable[[str], None]


@dataclass(frozen=True)
class Sample:
    """One run loaded by one contender. Times are in seconds; `python` and `postgres` of CPU."""

    workload: str
    phase: str
    contender: str
    round: int
    postings: int
    seconds: float
    python: float
    postgres: float
    contents: Contents

    @property
    def rate(self) -> float:
        """Postings a second."""
        return self.postings / self.seconds

    @property
    def cpu(self) -> float:
        """Seconds for 1,000 postings."""
        return (self.python + self.postgres) / self.postings * 1_000


@dataclass(frozen=True)
class Samples:
    """All that was measured."""

    every: tuple[Sample, ...]

    def of(self, workload: str, phase: str, contender: str) -> list[Sample]:
        """In the order of rounds."""
        wanted = (workload, phase, contender)
        return [one for one in self.every if (one.workload, one.phase, one.contender) == wanted]

    def rate(self, workload: str, phase: str, contender: str) -> float | None:
        """The median over the rounds; None where the contender took no part."""
        return _median([one.rate for one in self.of(workload, phase, contender)])

    def cpu(self, workload: str, phase: str, contender: str) -> float | None:
        """Likewise."""
        return _median([one.cpu for one in self.of(workload, phase, contender)])

    def faster(self, workload: str, phase: str, one: str, other: str, other_phase: str = "") -> float | None:
        """How many times the rate of another contender: the median of the rounds' own ratios."""
        pairs = zip(self.of(workload, phase, one), self.of(workload, other_phase or phase, other), strict=False)
        return _median([a.rate / b.rate for a, b in pairs])

    def thriftier(self, workload: str, phase: str, one: str, other: str) -> float | None:
        """The other's CPU as a share of one's own: likewise."""
        pairs = zip(self.of(workload, phase, one), self.of(workload, phase, other), strict=False)
        return _median([b.cpu / a.cpu for a, b in pairs])


def compare(rig: Rig, workload: Workload, contenders: Sequence[Contender], rounds: int, say: Say) -> Iterator[Sample]:
    """Every contender loads all runs of the workload it can, and again in the next round, each time another first."""
    for number in range(rounds):
        for contender in (*contenders[number % len(contenders) :], *contenders[: number % len(contenders)]):
            with contender.beginning():
                for fetch in workload.fetches:
                    if fetch.phase in contender.phases:
                        sample = _measured(rig, workload.name, fetch, contender, number + 1)
                        say(f"{workload.name}, {fetch.phase}, {contender.name}: {sample.rate:,.0f} postings/s")
                        yield sample


def _measured(rig: Rig, workload: str, fetch: Fetch, contender: Contender, number: int) -> Sample:
    rig.settle()
    postgres, python, started = processes.seconds([rig.postgres]), contender.cpu(), time.perf_counter()
    contender.load(fetch)
    seconds = time.perf_counter() - started
    python, postgres = contender.cpu() - python, processes.seconds([rig.postgres]) - postgres
    return Sample(
        workload=workload,
        phase=fetch.phase,
        contender=contender.name,
        round=number,
        postings=fetch.postings,
        seconds=seconds,
        python=python,
        postgres=postgres,
        contents=contender.contents(),
    )


def differences(samples: Samples, workload: Workload) -> list[str]:
    """What is not alike of what must be: postings of all contenders, all content of those with the same columns."""
    found = []
    for fetch in workload.fetches:
        of_phase = [one for one in samples.every if (one.workload, one.phase) == (workload.name, fetch.phase)]
        found += [
            f"{workload.name}, {one.phase}, {one.contender}: {one.contents.postings} postings of {workload.distinct}"
            for one in of_phase
            if one.contents.postings != workload.distinct
        ]
        digests = {one.contents: one.contender for one in of_phase if one.contents.digest}
        if len(digests) > 1:
            found.append(f"{workload.name}, {fetch.phase}: {' and '.join(digests.values())} differ in content")
    return found


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
