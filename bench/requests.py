"""Requests to S3 and SQS for a whole run, from the command to committed rows, and what they cost on AWS."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from bench import workers
from bench.counting import EMPTY
from bench.stack import Rig
from bench.workload import DATASET
from infra.embedded.process import Command
from services.ops import connections
from services.ops.runs import runs
from services.ops.runs.runs import Run

# Dollars a request, us-east-1, beyond the free tier: aws.amazon.com/sqs/pricing, aws.amazon.com/s3/pricing.
SQS = 0.40 / 1_000_000
S3_WRITE = 0.005 / 1_000  # PUT, COPY, POST, LIST
S3_READ = 0.0004 / 1_000  # GET and all others
PRICES = {"sqs": SQS, "s3.PutObject": S3_WRITE, "s3.ListObjectsV2": S3_WRITE, "s3": S3_READ}
FROM_S3 = "sqs.SendMessage, by S3"  # the event of every object, which SQS charges for like any other message


@dataclass(frozen=True)
class Requests:
    """Of a run of so many postings on so many pages; polls that found nothing depend on time, not on postings."""

    counted: dict[str, int]
    empty_polls: int
    postings: int
    pages: int

    @property
    def dollars(self) -> float:
        """For a million postings."""
        return sum(price(name) * times for name, times in self.counted.items()) / self.postings * 1_000_000


def price(name: str) -> float:
    """Of one request."""
    return PRICES.get(name) or PRICES[name.partition(".")[0]]


def measure(rig: Rig) -> Requests:
    """A run of the simulated source, with one worker of each kind."""
    rig.empty()
    counts = rig.folder / "counts"
    counts.touch()
    with workers.started(rig, extractors=1, change=lambda command: _counting(command, counts)):
        counts.write_bytes(b"")  # what a worker asks for when it starts is not of a run
        run = _finished_run()
    counted = Counter(counts.read_text().splitlines())
    empty_polls = counted.pop(EMPTY, 0)
    counted[FROM_S3] = counted["s3.PutObject"]
    return Requests(dict(sorted(counted.items())), empty_polls, run.read, run.pages)


def _finished_run() -> Run:
    operator = connections.connect()
    try:
        run_id = runs.start(operator, DATASET, {})
        *_, progress = runs.follow(operator, run_id, workers.PATIENCE)
    finally:
        operator.database.dispose()
    if progress.run is None or not progress.run.done:
        message = f"the run to count requests of did not complete: {progress}"
        raise TimeoutError(message)
    return progress.run


def _counting(command: Command, counts: Path) -> Command:
    arguments = [command.arguments[0], "-m", "bench.counting", command.arguments[-1]]
    return replace(command, arguments=arguments, environment={**command.environment, "BENCH_COUNTS": str(counts)})
