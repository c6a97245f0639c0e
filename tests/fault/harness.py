"""Runs faults against a rig and asks the oracle.

python -m tests.fault.harness --runs 200 --seed 1 [--fault NAME] [--mutant NAME] [--write docs/reliability.md]

What is written adds up over runs of several seeds: their results are kept beside the page, as reliability.json.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter

from shared.config.topology import QUEUES
from shared.datasets import registry
from tests.fault.faults import FAULTS
from tests.fault.oracle import Oracle
from tests.fault.rig import Rig

VERSION = registry.dataset("usajobs_search").version


@dataclass
class Tally:
    """What came of one fault."""

    runs: int = 0
    obligations: int = 0
    losses: list[str] = field(default_factory=list)
    drained: list[float] = field(default_factory=list)  # s from the end of the fault until everything was settled

    def add(self, other: "Tally") -> None:
        """Count another one's runs too."""
        self.runs += other.runs
        self.obligations += other.obligations
        self.losses += other.losses
        self.drained += other.drained


@dataclass
class Campaign:
    """What came of all runs of one seed: minutes that they took, and {fault: what came of it}."""

    seed: int
    commit: str
    minutes: int
    faults: dict[str, Tally]

    @property
    def runs(self) -> int:
        """Runs of all faults."""
        return sum(tally.runs for tally in self.faults.values())


CAMPAIGNS = TypeAdapter(list[Campaign])


# Attempts that a message may have in production, on the queue that allows the fewest.
FEWEST_ATTEMPTS = min(queue.max_receives for queue in QUEUES)


def run(rig: Rig, seed: int, number: int, name: str) -> Oracle:
    """One workload under one fault, then quiet, then fresh objects; returns what is owed."""
    logged = rig.logged()
    time.sleep(1 - time.time() % 1)  # S3's times have whole seconds, and a snapshot counts by its time
    rng = random.Random(f"{seed}/{number}/{name}")
    fault = FAULTS[name]
    oracle = Oracle(seed, number)
    with fault.during(rig, rng):
        fault.deliver(rig, rng, oracle)
    oracle.fault_ended = time.monotonic()
    oracle.log_began = logged
    fresh = Oracle(seed + 1, number)  # same keys and postings: they must flow, and count, like any other
    for upload in fresh.uploads(objects=3):
        rig.put(oracle, upload)
    return oracle


def check(rig: Rig, oracle: Oracle, name: str) -> list[str]:
    """What is not as it must be, after the faults have stopped."""
    wrong = rig.settled(oracle, versions=(VERSION, VERSION + 1) if "version" in name else (VERSION,))
    most = rig.most_attempts(oracle.log_began)
    if FAULTS[name].no_attempts and most > FEWEST_ATTEMPTS:
        wrong.append(f"{most} attempts of a message, for an outage")
    return wrong


def main() -> int:
    """Run, print the table, write it where asked. The exit code says whether anything was lost."""
    options = _options()
    tallies: dict[str, Tally] = defaultdict(Tally)
    names = [options.fault] if options.fault else list(FAULTS)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="smelt-fault-") as folder,
        Rig(Path(folder) / ".smelt", options.mutant) as rig,
    ):
        for number in range(1, options.runs + 1):
            name = names[(number - 1) % len(names)]
            oracle = run(rig, options.seed, number, name)
            losses = check(rig, oracle, name)
            drained = time.monotonic() - oracle.fault_ended
            tally = tallies[name]
            tally.runs += 1
            tally.obligations += oracle.obligations
            tally.drained.append(round(drained, 1))
            tally.losses += [f"run {number}: {loss}" for loss in losses]
            print(
                f"{number:5} {name}: {oracle.obligations} obligations, {len(losses)} losses, {drained:.0f} s",
                flush=True,
            )
            for loss in losses:
                print(f"      {loss}", flush=True)
    print(_table(tallies))
    if options.write:
        campaign = Campaign(options.seed, _commit(), round((time.monotonic() - started) / 60), dict(tallies))
        write(Path(options.write), campaign)
    return 1 if any(tally.losses for tally in tallies.values()) else 0


def _table(tallies: dict[str, Tally]) -> str:
    lines = ["| fault | runs | obligations | losses | drained, median | worst |", "|---|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {name} | {t.runs} | {t.obligations} | {len(t.losses)} | {_drained(t.drained)} |"
        for name, t in tallies.items()
    ]
    runs, obligations, losses = (
        sum(t.runs for t in tallies.values()),
        sum(t.obligations for t in tallies.values()),
        sum(len(t.losses) for t in tallies.values()),
    )
    drained = [seconds for tally in tallies.values() for seconds in tally.drained]
    return "\n".join([*lines, f"| **all** | **{runs}** | **{obligations}** | **{losses}** | {_drained(drained)} |"])


def _drained(seconds: list[float]) -> str:
    return f"{median(seconds):.0f} s | {max(seconds):.0f} s"


def write(page: Path, campaign: Campaign) -> None:
    """Add a campaign to those kept beside the page, in place of an older one of its seed, and write the page anew."""
    results = page.with_suffix(".json")
    held = CAMPAIGNS.validate_json(results.read_bytes()) if results.exists() else []
    campaigns = sorted([*(one for one in held if one.seed != campaign.seed), campaign], key=attrgetter("seed"))
    results.write_bytes(CAMPAIGNS.dump_json(campaigns, indent=1) + b"\n")
    total: dict[str, Tally] = defaultdict(Tally)
    for one in campaigns:
        for name, tally in one.faults.items():
            total[name].add(tally)
    rows = [f"| {one.seed} | {one.commit} | {one.runs} | {one.minutes} min |" for one in campaigns]
    template = (Path(__file__).parent / "reliability.md.in").read_text()
    campaign_table = "\n".join(["| seed | commit | runs | took |", "|---:|---|---:|---:|", *rows])
    page.write_text(template.format(campaigns=campaign_table, table=_table(total)))


def _commit() -> str:
    """The version of the code, as far as git knows one here."""
    asked = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=len(FAULTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault", choices=list(FAULTS))
    parser.add_argument("--mutant", default="")
    parser.add_argument("--write")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
