"""Loads one object (silver batch, quarantine entries or run plan) in one transaction."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from services.loader import completion, evolution, ledger, quarantine, snapshot, source_state
from services.loader.evolution import ColumnsNeededError
from services.loader.ledger import LoadCounts
from services.loader.upsert import UnknownHashError, key_texts, upsert
from shared import telemetry
from shared.config.topology import PLANS_PREFIX, QUARANTINE_PREFIX, SILVER_PREFIX
from shared.database import source_state as state_copies
from shared.database.engine import classify_error
from shared.datasets import definition, registry
from shared.errors import PermanentError
from shared.failpoint import failpoint
from shared.formats import quarantine as rejects
from shared.formats import run_plan, silver
from shared.formats.observation import Observation, observation
from shared.formats.silver import OutdatedError, SilverHeader
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import ObjectContent, SupersededError
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

MAX_OBJECT_BYTES = 1 << 30  # bytes


@dataclass(frozen=True)
class LoadResult:
    """The result of loading an object.

    `hashes` is {natural key: content hash} of rows now in the database, `records` is {outcome: number of records}.
    `observed_at` is None for replays. `run_id` is that of a run whose state may have to be copied to the bucket.
    `upload` is the upload that is wholly loaded with this object.
    """

    outcome: str
    dataset: str = ""
    hashes: Mapping[str, bytes] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    observed_at: datetime | None = None
    run_id: str | None = None
    upload: ObjectId | None = None


class FullObjectNeededError(Exception):
    """A silver object has too little content to load; `source` is the bronze object to transform again in full."""

    def __init__(self, source: ObjectId) -> None:
        super().__init__(source.key)
        self.source = source


def load(s3: "S3Client", engine: Engine, stored: ObjectId) -> LoadResult:
    """Load one object, chosen by its key prefix, in one transaction. Raises FullObjectNeededError."""
    for prefix, load_one in LOADERS.items():
        if stored.key.startswith(prefix):
            began = time.time_ns()
            try:
                content = objects.get(s3, stored, MAX_OBJECT_BYTES)
                if object_keys.is_folder(stored, len(content.body)):
                    return LoadResult("ignored")
                with telemetry.object_span("loader", content.metadata, began, key=stored.key, bytes=len(content.body)):
                    _require_checksum(stored, content)
                    loaded = _evolved(engine, content, load_one)
                    _publish_state(s3, engine, stored.bucket, loaded)
                    return loaded
            except SupersededError:
                return LoadResult("superseded")
            except (DBAPIError, psycopg2.Error) as error:
                raise classify_error(error, engine) from error
    message = f"{stored.key}: not a prefix that the loader handles"
    raise PermanentError(message)


def _evolved(engine: Engine, content: ObjectContent, load_one: "LoadOne") -> LoadResult:
    """Load an object; where it needs new columns, after they are added."""
    try:
        return _committed(engine, content, load_one)
    except ColumnsNeededError as needed:
        evolution.add_columns(engine, needed)
    return _committed(engine, content, load_one)


def _committed(engine: Engine, content: ObjectContent, load_one: "LoadOne") -> LoadResult:
    with telemetry.span("loader.load"):
        with engine.begin() as connection:
            loaded = load_one(connection, content)
            failpoint("loader.upserted")
        failpoint("loader.committed")
        _count(loaded)
    return loaded


def _publish_state(s3: "S3Client", engine: Engine, bucket: str, loaded: LoadResult) -> None:
    """Copy the state of an incremental source to the bucket once a run of it is complete.

    After the commit, and for a duplicate as well: if this fails, the message is delivered again.
    """
    if loaded.run_id is None or registry.dataset(loaded.dataset).cursor is None:
        return
    with engine.begin() as connection:
        if scope := source_state.scope_of(connection, loaded.run_id):
            state_copies.publish(connection, s3, bucket, *scope)


def _count(loaded: LoadResult) -> None:
    """Update metrics. Called after the commit, so that rolled-back batches are not counted."""
    telemetry.set_span_attributes(outcome=loaded.outcome, **loaded.records)
    for outcome, number in loaded.records.items():
        metrics.RECORDS.add(number, {"dataset": loaded.dataset, "outcome": outcome})
    if loaded.observed_at:
        waited = (datetime.now(UTC) - loaded.observed_at).total_seconds()
        metrics.LATENCY.record(
            max(0.0, waited), {"dataset": loaded.dataset}
        )  # the clocks of source and loader may differ


def load_silver(connection: Connection, content: ObjectContent) -> LoadResult:
    """Load a batch: ledger row, fence, rows, counts; then complete its run or upload if it was the last."""
    try:
        header, frame = silver.read(content.body)
    except OutdatedError as outdated:
        raise FullObjectNeededError(outdated.source) from None
    telemetry.set_span_attributes(dataset=header.dataset, run_id=header.run_id)
    if registry.dataset(header.dataset).is_snapshot:
        snapshot.lock(connection, header.dataset)
    object_id = ledger.claim(connection, header)
    if object_id is None:
        upload = _loaded_upload(connection, header)
        return LoadResult("duplicate", header.dataset, run_id=header.run_id, upload=upload)
    try:
        counts, hashes = upsert(connection, header.dataset, frame, _observation(header), object_id)
    except UnknownHashError:
        raise FullObjectNeededError(header.source) from None
    except ColumnsNeededError as needed:
        raise ColumnsNeededError(needed.dataset, needed.types, header.source.key) from None
    keys = key_texts(frame, registry.dataset(header.dataset).tables)
    ledger.record_outcome(connection, object_id, counts, keys if header.run_id else None)
    quarantine.close_entries(connection, header, keys)
    log.info("silver.loaded", dataset=header.dataset, key=header.source.key, run_id=header.run_id, **counts.__dict__)
    if header.run_id:
        completion.complete_run(connection, header.run_id)
    elif not header.replay:
        completion.complete_upload(connection, header)
    elif registry.dataset(header.dataset).is_snapshot:
        snapshot.settle(connection, header.dataset)
    observed_at = None if header.replay else header.observed_at
    outcomes, upload = _outcomes(header, counts, len(hashes)), _loaded_upload(connection, header)
    return LoadResult("loaded", header.dataset, hashes, outcomes, observed_at, header.run_id, upload)


def _loaded_upload(connection: Connection, header: SilverHeader) -> ObjectId | None:
    """The batch's upload, if all its batches are loaded and its contract wants to know."""
    wanted = registry.dataset(header.dataset).contract.options.after_loading != "keep"
    if not wanted or not object_keys.is_upload(header.source.key):
        return None
    return header.source if ledger.is_complete(connection, header.source, header.transform_version) else None


def load_quarantine(connection: Connection, content: ObjectContent) -> LoadResult:
    """Load rejected records. Idempotent."""
    entries = rejects.read(content.body)
    dataset = entries[0].dataset
    definition.refuse_changed(dataset)
    if registry.dataset(dataset).is_snapshot:
        snapshot.lock(connection, dataset)
    quarantine.insert_entries(connection, entries)
    if registry.dataset(dataset).is_snapshot:
        snapshot.settle(connection, dataset)
    return LoadResult("quarantined")


def load_plan(connection: Connection, content: ObjectContent) -> LoadResult:
    """Load the plan of a run. Some of its pages may be loaded already."""
    plan = run_plan.read(content.body)
    definition.refuse_changed(plan.dataset)
    is_new = ledger.record_plan(connection, plan, content.last_modified)
    completion.complete_run(connection, plan.run_id)
    return LoadResult("planned" if is_new else "duplicate", plan.dataset, run_id=plan.run_id)


LoadOne = Callable[[Connection, ObjectContent], LoadResult]
LOADERS: dict[str, LoadOne] = {SILVER_PREFIX: load_silver, QUARANTINE_PREFIX: load_quarantine, PLANS_PREFIX: load_plan}


def _outcomes(header: SilverHeader, counts: LoadCounts, in_full: int) -> dict[str, int]:
    """{outcome: number}; the sum is the number of records read. `in_full` counts the non-stale records with content."""
    unchanged = in_full - counts.inserted - counts.updated
    hash_only = counts.unchanged - unchanged
    return asdict(counts) | {"unchanged": unchanged, "hash_only": hash_only, "quarantined": header.counts.quarantined}


def _observation(header: SilverHeader) -> Observation:
    """The observation of a batch; for a replay, that of the object it came from.

    The batch number is appended to the sequencer, so that of two batches of one object the later one wins.
    """
    source = header.replay.source if header.replay else header.source
    result = observation(header.observed_at, source.key, source.sequencer, header.transform_version)
    return replace(result, sequencer=f"{result.sequencer}{header.batch:08d}")


def _require_checksum(stored: ObjectId, content: ObjectContent) -> None:
    """Require a checksum, which `objects.get` has verified: reading damaged Parquet could crash the process."""
    if "sha256" not in content.metadata:
        message = f"{stored.key}: not a {stored.key.partition('/')[0]} object written by smelt: it has no checksum"
        raise PermanentError(message)
