"""Peak memory of the workers, while they refine and load something large."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
from sqlalchemy import text

from bench import workers
from bench.processes import PeakWatch
from bench.stack import Rig
from bench.workload import DATASET, KEY, Workload, simulated_pages
from shared.storage import object_keys, objects

UPLOAD_PATIENCE = 900.0  # s
GIGABYTE = 10**9
LOADED = text("select coalesce(sum(inserted), 0) from ops.loaded_object")


@dataclass(frozen=True)
class Peaks:
    """Bytes, of the largest process of each service."""

    transformer: int
    loader: int


def of_page(rig: Rig, workload: Workload) -> Peaks:
    """While the workload's pages are loaded."""

    def put() -> int:
        for number, page in enumerate(workload.cold.pages, start=1):
            key = object_keys.page_key(DATASET, workload.cold.plan.run_id, 1, number)
            objects.put(rig.s3, rig.bucket, key, page, "application/gzip")
        return workload.cold.postings

    return _peaks(rig, put)


def of_upload(rig: Rig, size: int = GIGABYTE) -> Peaks:
    """While so many bytes of JSON lines are loaded."""

    def put() -> int:
        path = rig.folder / "upload.jsonl"
        postings = write_lines(path, size)
        rig.s3.upload_file(str(path), rig.bucket, object_keys.upload_key(DATASET, path.name))
        path.unlink()
        return postings

    return _peaks(rig, put)


def write_lines(path: Path, size: int) -> int:
    """A file of postings that differ in their control numbers; how many."""
    items = [(item, orjson.loads(item)[KEY].encode()) for page in simulated_pages(1_000) for item in page]
    written = postings = 0
    with path.open("wb") as lines:
        while written < size:
            item, number = items[postings % len(items)]
            written += lines.write(item.replace(number, b"%d" % (900_000_000 + postings)) + b"\n")
            postings += 1
    return postings


def _peaks(rig: Rig, put: Callable[[], int]) -> Peaks:
    rig.empty()
    with (
        workers.started(rig) as (transformer, uploads, loader),
        PeakWatch([transformer, uploads]) as of_transformer,
        PeakWatch([loader]) as of_loader,
    ):
        postings = put()
        workers.await_true(lambda: _inserted(rig) == postings, patience=UPLOAD_PATIENCE)
    return Peaks(of_transformer.peak, of_loader.peak)


def _inserted(rig: Rig) -> int:
    with rig.engine.connect() as connection:
        return int(connection.scalar(LOADED) or 0)
