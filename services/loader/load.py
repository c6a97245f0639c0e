"""Loading one object: silver batch, quarantine or run plan into rows of Postgres, in one transaction."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from services.loader import completion, ledger, quarantine
from services.loader.ledger import LoadCounts
from services.loader.upsert import UnknownSightingError, key_texts, upsert
from shared import telemetry
from shared.config.topology import PLANS_PREFIX, QUARANTINE_PREFIX, SILVER_PREFIX
from shared.database.engine import classify_error
from shared.datasets import definition, registry
from shared.errors import PermanentError
from shared.failpoint import failpoint
from shared.formats import quarantine as rejects
from shared.formats import run_plan, silver
from shared.formats.observation import Observation, observation
from shared.formats.silver import Header, OutdatedError
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import Content, SupersededError
from shared.telemetry import metrics

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

OBJECT_LIMIT = 1 << 30  # bytes


@dataclass(frozen=True)
class Loaded:
    """What loading an object came to, in one word, and {natural key: content hash} of what the database holds now.

    `records` is what became of its records, {outcome: number}; `observed_at` when they were seen, unless once more.
    """

    outcome: str
    dataset: str = ""
    held: Mapping[str, bytes] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)
    observed_at: datetime | None = None


class NeededInFullError(Exception):
    """A silver object lacks what the database needs; `source` is the bronze object to make it from once more."""

    def __init__(self, source: ObjectId) -> None:
        super().__init__(source.key)
        self.source = source


def load(s3: "S3Client", engine: Engine, stored: ObjectId) -> Loaded:
    """One object, by its prefix, in one transaction. Raises NeededInFullError."""
    for prefix, load_one in LOADERS.items():
        if stored.key.startswith(prefix):
            began = time.time_ns()
            try:
                content = objects.get(s3, stored, OBJECT_LIMIT)
                if object_keys.is_folder(stored, len(content.body)):
                    return Loaded("ignored")
                with telemetry.of_object("loader", content.metadata, began, key=stored.key, bytes=len(content.body)):
                    _refuse_unsigned(stored, content)
                    return _committed(engine, content, load_one)
            except SupersededError:
                return Loaded("superseded")
            except (DBAPIError, psycopg2.Error) as error:
                raise classify_error(error, engine) from error
    message = f"{stored.key}: the loader knows no such prefix"
    raise PermanentError(message)


def _committed(engine: Engine, content: Content, load_one: "LoadOne") -> Loaded:
    with telemetry.span("loader.load"):
        with engine.begin() as connection:
            loaded = load_one(connection, content)
            failpoint("loader.upserted")
        failpoint("loader.committed")
        _count(loaded)
    return loaded


def _count(loaded: Loaded) -> None:
    """After the commit: a batch that was rolled back has not happened, and one that comes again is a duplicate."""
    telemetry.set_span_attributes(outcome=loaded.outcome, **loaded.records)
    for outcome, number in loaded.records.items():
        metrics.RECORDS.add(number, {"dataset": loaded.dataset, "outcome": outcome})
    if loaded.observed_at:
        waited = (datetime.now(UTC) - loaded.observed_at).total_seconds()
        metrics.LATENCY.record(max(0.0, waited), {"dataset": loaded.dataset})  # the two clocks may differ


def load_silver(connection: Connection, content: Content) -> Loaded:
    """A batch of rows: ledger, fence, rows, ledger; then whatever it makes complete."""
    try:
        header, frame = silver.read(content.body)
    except OutdatedError as outdated:
        raise NeededInFullError(outdated.source) from None
    telemetry.set_span_attributes(dataset=header.dataset, run_id=header.run_id)
    object_id = ledger.claim(connection, header)
    if object_id is None:
        return Loaded("duplicate")
    try:
        effect, held = upsert(connection, header.dataset, frame, _observation(header), object_id)
    except UnknownSightingError:
        raise NeededInFullError(header.source) from None
    keys = key_texts(frame, registry.dataset(header.dataset).tables)
    ledger.record_outcome(connection, object_id, effect, keys if header.run_id else None)
    quarantine.close(connection, header, keys)
    log.info("silver.loaded", dataset=header.dataset, key=header.source.key, run_id=header.run_id, **effect.__dict__)
    if header.run_id:
        completion.complete_run(connection, header.run_id)
    elif not header.replay:
        completion.complete_upload(connection, header)
    observed_at = None if header.replay else header.observed_at
    return Loaded("loaded", header.dataset, held, _outcomes(header, effect, len(held)), observed_at)


def load_quarantine(connection: Connection, content: Content) -> Loaded:
    """Rejected records, for people to look at; loading them again changes nothing."""
    entries = rejects.read(content.body)
    definition.refuse_changed(entries[0].dataset)
    quarantine.admit(connection, entries)
    return Loaded("quarantined")


def load_plan(connection: Connection, content: Content) -> Loaded:
    """What a run set out to fetch. Its pages may be here already."""
    plan = run_plan.read(content.body)
    definition.refuse_changed(plan.dataset)
    known = not ledger.plan(connection, plan, content.last_modified)
    completion.complete_run(connection, plan.run_id)
    return Loaded("duplicate" if known else "planned")


LoadOne = Callable[[Connection, Content], Loaded]
LOADERS: dict[str, LoadOne] = {SILVER_PREFIX: load_silver, QUARANTINE_PREFIX: load_quarantine, PLANS_PREFIX: load_plan}


def _outcomes(header: Header, effect: LoadCounts, held: int) -> dict[str, int]:
    """They add up to the records read. Of what passed the fence, `held` came in full; the rest were hash-only."""
    unchanged = held - effect.inserted - effect.updated
    hash_only = effect.unchanged - unchanged
    return asdict(effect) | {"unchanged": unchanged, "hash_only": hash_only, "quarantined": header.counts.quarantined}


def _observation(header: Header) -> Observation:
    """What is replayed out of quarantine was seen in the object it came from.

    A record that is in two batches of an object is as the later one has it, whichever is loaded first.
    """
    seen = header.replay.source if header.replay else header.source
    one = observation(header.observed_at, seen.key, seen.sequencer, header.transform_version)
    return replace(one, sequencer=f"{one.sequencer}{header.batch:08d}")


def _refuse_unsigned(stored: ObjectId, content: Content) -> None:
    """What we write carries its checksum, which `objects.get` has compared. Damaged Parquet may end the process."""
    if "sha256" not in content.metadata:
        message = f"{stored.key}: not a {stored.key.partition('/')[0]} object of ours: it carries no checksum"
        raise PermanentError(message)
