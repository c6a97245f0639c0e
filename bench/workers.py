"""Real worker processes on the rig's queues, for as long as a measurement takes."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import text

from bench.stack import Rig
from bench.workload import DATASET, answer, simulated_pages
from infra.embedded import applications, process
from infra.embedded.options import Options
from infra.embedded.process import Command, Kind
from infra.embedded.state import load
from shared.storage import object_keys

PATIENCE = 120.0  # s
Change = Callable[[Command], Command]


@contextmanager
def started(
    rig: Rig, transformers: int = 1, loaders: int = 1, extractors: int = 0, change: Change = lambda command: command
) -> Iterator[list[int]]:
    """So many workers as `smelt up` starts them, ready and polling; gives the ids of their main processes."""
    state = load(rig.home)
    assert state  # noqa: S101 - it runs
    options = Options(
        transformers=transformers,
        uploads=transformers,
        loaders=loaders,
        extractors=extractors,
        console=False,
        simulator_postings=0,
    )
    commands = [
        change(command) for command in applications.commands(rig.home, state, options) if command.kind is Kind.WORKER
    ]
    running = [process.start(command, rig.home) for command in commands]
    try:
        for command in commands:
            process.await_ready(command, rig.home)
        yield [worker.pid for worker in running]
    finally:
        process.stop(running, rig.home)


def warm_up(rig: Rig) -> None:
    """Let workers load one posting and forget it: the first message of a process pays for what it imports."""
    [items] = simulated_pages(1)
    upload(rig, "warm-up.json", answer(items, 1, 1))
    await_true(lambda: loaded_objects(rig) > 0)
    rig.empty()


def upload(rig: Rig, name: str, body: bytes) -> None:
    """Drop a file into the bucket, as anybody may."""
    rig.s3.put_object(Bucket=rig.bucket, Key=object_keys.upload_key(DATASET, name), Body=body)


def loaded_objects(rig: Rig) -> int:
    """Batches in the ledger."""
    with rig.engine.connect() as connection:
        return int(connection.scalar(text("select count(*) from ops.loaded_object")) or 0)


def await_true(condition: Callable[[], bool], interval: float = 0.02, patience: float = PATIENCE) -> None:
    """Look until it is so. Raises TimeoutError when patience is over."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            message = f"not loaded within {patience:.0f} s: see the dead letters and the workers' logs"
            raise TimeoutError(message)
        time.sleep(interval)
