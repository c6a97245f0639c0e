"""How much faster two loaders work off a backlog of silver objects than one."""

import time
from collections.abc import Iterator, Sequence

from bench import workers
from bench.stack import Rig
from bench.workload import DATASET, Workload
from shared.storage import object_keys, objects

ORDER = (1, 2, 2, 1)  # loaders
WARM_UP = 6  # objects: each of two loaders gets some
BATCH = 10  # messages that SQS takes at a time


def measure(rig: Rig, workload: Workload) -> dict[int, list[float]]:
    """{loaders: postings a second, each time}. A page is a silver object."""
    events = _backlog(rig, workload)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for loaders in ORDER:
        rates[loaders].append(workload.cold.postings / _drained(rig, events, loaders))
    return rates


def _backlog(rig: Rig, workload: Workload) -> list[str]:
    """S3's own events of the silver objects, which a transformer writes while no loader runs."""
    rig.empty()
    with workers.started(rig, loaders=0):
        for number, page in enumerate(workload.cold.pages, start=1):
            key = object_keys.page_key(DATASET, workload.cold.plan.run_id, 1, number)
            objects.put(rig.s3, rig.bucket, key, page, "application/gzip")
        events: list[str] = []

        def complete() -> bool:
            events.extend(_taken(rig))
            return len(events) == len(workload.cold.pages)

        workers.await_true(complete)
    return events


def _taken(rig: Rig) -> Iterator[str]:
    url = rig.settings.silver_queue_url
    for message in rig.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=BATCH).get("Messages", []):
        rig.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        yield message["Body"]


def _drained(rig: Rig, events: Sequence[str], loaders: int) -> float:
    """Seconds from sending all events to the last object in the ledger, after some that warm the loaders up."""
    with workers.started(rig, transformers=0, loaders=loaders):
        _loaded(rig, events[:WARM_UP])
        return _loaded(rig, events)


def _loaded(rig: Rig, events: Sequence[str]) -> float:
    rig.empty()
    rig.settle()
    started = time.perf_counter()
    _send(rig, events)
    workers.await_true(lambda: workers.loaded_objects(rig) == len(events))
    return time.perf_counter() - started


def _send(rig: Rig, events: Sequence[str]) -> None:
    for start in range(0, len(events), BATCH):
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(events[start : start + BATCH])]
        rig.sqs.send_message_batch(QueueUrl=rig.settings.silver_queue_url, Entries=entries)  # type: ignore[arg-type]
