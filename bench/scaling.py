"""From one machine to 100 million postings a day: `python -m bench.scaling --write docs/scaling.md`.

Simulates days and bursts through the queues as Terraform scales what is behind them, and computes what they cost.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.requests import S3_READ, S3_WRITE, SQS
from bench.scaling_model import DAY, HOUR, Scaling, Seen, Stage, burst, daily, scaling_of, simulate

ROOT = Path(__file__).parents[1]
WORKERS = ROOT / "infra" / "terraform" / "workers.tf"
TEMPLATE = ROOT / "docs" / "scaling.md.in"

# Measured: CPU s for 1,000 postings of 22.5 kB, cold, by `make bench` (docs/performance.md) on two cores of 2.6 GHz.
# The loader's share is Python's, Postgres' that of its backends.
CPU = {"transformer": 0.4, "loader": 0.11, "postgres": 0.24}
# Measured by `python -m bench.restore --postings 10000`, of simulated postings. KiB each in Postgres with indexes and
# ledger, where there is no lz4 (RDS has it); in its log; in S3. Bytes of a known hash in Valkey.
DISK, WRITTEN_AHEAD = 24.5, 24.0
BRONZE, SILVER = 3.0, 3.3
HASH = 89
PAGE = 500  # postings of a page, the most the Search API gives
# Assumed, not measured: s that a message waits for S3, SQS and a commit in one region.
WAIT = {"transformer": 0.15, "loader": 0.10}
REQUESTS_PER_SECOND = 5  # of the source, by SearchSource
SEED = 8
DATABASE = 2.0  # processors of Postgres, as db.t4g.medium and db.m7g.large have

# US$, us-east-1, list prices in November 2026 as docs/aws.md (Fargate, gp3) and bench/requests.py (S3, SQS) have them;
# that of db.m7g was not looked up.
FARGATE_CPU, FARGATE_MEMORY = 0.04048, 0.004445  # an hour of a processor, of a GiB
STORED, ARCHIVED, DISK_PRICE = 0.023, 0.004, 0.115 * 2  # GB and month: S3, Glacier IR, gp3 in two zones
DATABASE_CPU = 0.168  # an hour of a processor of db.m7g in two zones
MONTH = 30  # days
CALLS = 8  # of SQS a page: receive, delete and a heartbeat, twice, and what S3 sends
WRITES, READS = 2, 2  # objects a page: bronze and silver


@dataclass(frozen=True)
class Load:
    """What comes: pages of postings, all of them new."""

    name: str
    postings: int
    arrivals: list[int]  # pages by second
    a_month: int = MONTH  # how often it comes

    @property
    def pages(self) -> int:
        """Objects."""
        return sum(self.arrivals)


@dataclass(frozen=True)
class Outcome:
    """A load after both services."""

    load: Load
    transformer: Seen
    loader: Seen

    @property
    def drained(self) -> int:
        """Seconds from the first page to the last row."""
        return self.loader.finished_at


def loads() -> list[Load]:
    """From a day of the real source to a hundred million postings."""
    return [
        Load("all open postings, once a day", 20_000, burst(40, REQUESTS_PER_SECOND)),
        Load("the archive since 2017, at once", 2_850_000, burst(5_700, REQUESTS_PER_SECOND), a_month=1),
        *(
            Load(f"{millions} million a day", millions * 1_000_000, daily(millions * 1_000_000 // PAGE, 3.0, SEED))
            for millions in (1, 10, 100)
        ),
    ]


def stages(scaling: dict[str, Scaling], database_cpu: float) -> tuple[Stage, Stage]:
    """Transformer and loader, with pages of the usual size."""
    of_page = {name: seconds * PAGE / 1_000 for name, seconds in CPU.items()}
    transformer = Stage(scaling["transformer"], of_page["transformer"], WAIT["transformer"])
    loader = Stage(scaling["loader"], of_page["loader"], WAIT["loader"], database_cpu, of_page["postgres"])
    return transformer, loader


def run(load: Load, transformer: Stage, loader: Stage) -> Outcome:
    """One load through both queues."""
    first = simulate(transformer, load.arrivals, SEED)
    return Outcome(load, first, simulate(loader, first.done, SEED + 1))


def dollars(outcome: Outcome, scaling: dict[str, Scaling], database_cpu: float) -> dict[str, float]:
    """{what: US$ a day} of what grows with the load; storage by what a month adds."""
    load = outcome.load
    tasks = {"transformer": outcome.transformer.task_seconds, "loader": outcome.loader.task_seconds}
    fargate = sum(
        seconds / HOUR * (scaling[name].cpu * FARGATE_CPU + scaling[name].memory * FARGATE_MEMORY)
        for name, seconds in tasks.items()
    )
    requests = load.pages * (CALLS * SQS + WRITES * S3_WRITE + READS * S3_READ)
    kept = load.postings * (BRONZE + SILVER) / 1024**2 * (STORED + ARCHIVED * 5)  # a month, then five as an archive
    return {"Fargate": fargate, "requests": requests, "S3": kept, "Postgres": database_cpu * DATABASE_CPU * 24}


def written() -> str:
    """The page: what was simulated, and what it was simulated with."""
    scaling = scaling_of(WORKERS.read_text())
    transformer, loader = stages(scaling, DATABASE)
    outcomes = [run(load, transformer, loader) for load in loads()]
    figures = {
        "simulated": _table(SIMULATED, [_simulated(one) for one in outcomes]),
        "prices": _table(PRICED, [_priced(one, dollars(one, scaling, DATABASE)) for one in outcomes]),
        "cpu": f"{sum(CPU.values()):.1f}",
        "transformer": f"{CPU['transformer']:.1f}",
        "loader": f"{CPU['loader']:.1f}",
        "postgres": f"{CPU['postgres']:.1f}",
        "a_transformer": f"{1 / transformer.seconds(1):.1f}",
        "a_loader": f"{1 / loader.seconds(1):.1f}",
        "database": f"{DATABASE:.0f}",
        "rows": f"{1_000 / CPU['postgres']:,.0f}",
        "rows_a_day": f"{DATABASE * 1_000 / CPU['postgres'] * DAY / 1e6:,.0f}",
        "disk": f"{DISK:.1f}",
        "disk_days": f"{65_536 * 1024**2 / (100e6 * DISK):,.0f}",
        "disk_month": f"{100e6 * DISK / 1024**2 * MONTH * DISK_PRICE:,.0f}",
        "log": f"{WRITTEN_AHEAD:.1f}",
        "log_rate": f"{125 * 1024 / WRITTEN_AHEAD:,.0f}",
        "hash": f"{HASH}",
        "hashes": f"{0.5 * 2**30 / HASH / 1e6:.1f}",
        "hashes_needed": f"{100e6 * 7 * HASH / 2**30:,.0f}",
        "source": f"{REQUESTS_PER_SECOND * PAGE * DAY / 1e6:,.0f}",
        "prefix": f"{3_500 * PAGE / 1e6:.2f}",
        "single": f"{(CALLS * SQS + WRITES * S3_WRITE + READS * S3_READ) * 1e6:.0f}",
        "single_tasks": f"{100e6 / DAY * (WAIT['transformer'] + WAIT['loader']):,.0f}",
        "most_transformers": f"{scaling['transformer'].most}",
        "most_loaders": f"{scaling['loader'].most}",
        "page": f"{PAGE}",
        "month": f"{MONTH}",
        "database_price": f"{DATABASE_CPU:.3f}",
        "waiting": f"{WAIT['transformer']:.2f} and {WAIT['loader']:.2f}",
    }
    return TEMPLATE.read_text().format(**figures)


SIMULATED = (
    "Load", "pages", "waiting at most", "waited, median", "99 %", "transformers", "loaders", "drained after"
)  # fmt: skip
PRICED = ("Load", "Fargate", "requests", "S3", "Postgres", "together, a month", "for a million postings")


def _simulated(one: Outcome) -> list[str]:
    both = [one.transformer, one.loader]
    waited = [f"{sum(seen.wait(quantile) for seen in both):.0f} s" for quantile in (0.5, 0.99)]
    return [
        one.load.name,
        f"{one.load.pages:,}",
        f"{max(seen.deepest for seen in both):,}",
        *waited,
        *(f"{seen.most_tasks}" for seen in both),
        f"{one.drained / 60:.0f} min" if len(one.load.arrivals) < DAY else "the day",
    ]


def _priced(one: Outcome, a_day: dict[str, float]) -> list[str]:
    times = one.load.a_month
    total = sum(a_day.values()) * times
    cells = [f"${dollars * times:,.2f}" for dollars in a_day.values()]
    return [one.load.name, *cells, f"${total:,.0f}", f"${total / times / one.load.postings * 1e6:,.2f}"]


def _table(header: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [header, ("---", *("---:" for _ in header[1:])), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write the page, or say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    if arguments.write:
        arguments.write.write_text(written())
    else:
        sys.stdout.write(written())


if __name__ == "__main__":
    main()
