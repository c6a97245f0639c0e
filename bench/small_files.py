"""What a file with a single record costs: the CPU of the handlers of transformer and loader, and of Postgres.

In this process and with a bucket in memory, so without what SQS, S3 and Celery add.
"""

import time
from dataclasses import dataclass

from bench import processes
from bench.contenders.in_process import InProcess
from bench.stack import Rig
from bench.workload import DATASET, answer, simulated_pages
from shared.storage import object_keys

WARM_UP = 20  # files


@dataclass(frozen=True)
class FileCost:
    """CPU milliseconds a file."""

    transformer: float
    loader: float
    postgres: float


def measure(rig: Rig, files: int) -> FileCost:
    """Uploads of one new posting each."""
    uploads = [
        (object_keys.upload_key(DATASET, f"{number}.json"), answer([posting], 1, 1))
        for number, [posting] in enumerate(simulated_pages(WARM_UP + files, per_page=1))
    ]
    contender = InProcess(rig)
    with contender.beginning():
        _cost(rig, contender, uploads[:WARM_UP])
        return _cost(rig, contender, uploads[WARM_UP:])


def _cost(rig: Rig, contender: InProcess, uploads: list[tuple[str, bytes]]) -> FileCost:
    handlers, loader = contender.handlers(), 0.0
    before, postgres = contender.cpu(), processes.seconds([rig.postgres])
    for stored in handlers.refined(uploads):
        started = time.process_time()
        handlers.load(stored)
        loader += time.process_time() - started
    total, postgres = contender.cpu() - before, processes.seconds([rig.postgres]) - postgres
    return FileCost(*(seconds / len(uploads) * 1_000 for seconds in (total - loader, loader, postgres)))
