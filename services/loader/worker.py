"""The loader: silver batch, quarantine or run plan in, rows in Postgres out, each object in one transaction."""

from typing import TYPE_CHECKING

import boto3
import polars as pl
import psycopg2
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from services.loader import ledger
from services.loader.upsert import key_names, upsert
from shared import objects, quarantine, run_plan, silver
from shared.database.engine import connect, explained
from shared.database.migrate import missing
from shared.database.ops_tables import QUARANTINE
from shared.datasets import contract
from shared.engine import worker
from shared.engine.delivery import Handler
from shared.engine.message import Message
from shared.errors import PermanentError
from shared.events import created_objects
from shared.failpoint import failpoint
from shared.objects import Content, ObjectId, SupersededError
from shared.observation import observation
from shared.settings import Settings
from shared.topology import PLANS_PREFIX, QUARANTINE_PREFIX, SILVER_PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

OBJECT_LIMIT = 1 << 30  # bytes


def check(settings: Settings) -> None:
    """Raises PermanentError unless the database is there and its schema is the one this code needs."""
    engine = _connect(settings)
    try:
        needed = missing(engine)
    except DBAPIError as error:
        raise PermanentError(str(explained(error, engine))) from error
    engine.dispose()
    if needed:
        message = f"the database lacks migrations {', '.join(sorted(needed))}: run `smelt db upgrade`"
        raise PermanentError(message)


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler from S3 and the database."""
    engine = _connect(settings)
    s3: S3Client = boto3.client("s3")
    return lambda message: handle(message, s3, engine, settings.bucket)


def handle(message: Message, s3: "S3Client", engine: Engine, bucket: str) -> str:
    """Load every object that the event names."""
    stored = created_objects(message.body)
    for one in stored:
        objects.refuse_strangers(one, bucket)
    outcomes = {load(s3, engine, one) for one in stored}
    return ", ".join(sorted(outcomes)) or "ignored"


def load(s3: "S3Client", engine: Engine, stored: ObjectId) -> str:
    """One object, by its prefix, in one transaction. The outcome in one word."""
    for prefix, load_one in LOADERS.items():
        if stored.key.startswith(prefix):
            try:
                content = objects.get(s3, stored, OBJECT_LIMIT)
                if objects.is_folder(stored, content):
                    return "ignored"
                _refuse_unsigned(stored, content)
                with engine.begin() as connection:
                    outcome = load_one(connection, content)
                    failpoint("loader.upserted")
                failpoint("loader.committed")
            except SupersededError:
                return "superseded"
            except (DBAPIError, psycopg2.Error) as error:
                raise explained(error, engine) from error
            return outcome
    message = f"{stored.key}: the loader knows no such prefix"
    raise PermanentError(message)


def load_silver(connection: Connection, content: Content) -> str:
    """A batch of rows: ledger, fence, rows, ledger."""
    header, frame = silver.read(content.body)
    object_id = ledger.enter(connection, header)
    if object_id is None:
        return "duplicate"
    source = header.source
    seen = observation(header.observed_at, source.key, source.sequencer, header.transform_version)
    effect = upsert(connection, header.dataset, frame, seen, object_id)
    keys = _key_texts(header.dataset, frame) if header.run_id else None
    ledger.settle(connection, object_id, effect, keys)
    log.info("silver.loaded", dataset=header.dataset, key=source.key, run_id=header.run_id, **effect.__dict__)
    if header.run_id and ledger.complete(connection, header.run_id):
        log.info("run.complete", run_id=header.run_id)
    return "loaded"


def load_quarantine(connection: Connection, content: Content) -> str:
    """Rejected records, for people to look at; loading them again changes nothing."""
    rows = [
        {
            "dataset": entry.dataset,
            "bucket": entry.source.bucket,
            "key": entry.source.key,
            "version": entry.source.version,
            "transform_version": entry.transform_version,
            "record_index": entry.record_index,
            "run_id": entry.run_id,
            **entry.problems[0].model_dump(),
            "problems": [problem.model_dump() for problem in entry.problems],
            "raw": entry.raw,
        }
        for entry in quarantine.read(content.body)
    ]
    connection.execute(insert(QUARANTINE).on_conflict_do_nothing(), rows)
    return "quarantined"


def load_plan(connection: Connection, content: Content) -> str:
    """What a run set out to fetch. Its pages may be here already."""
    plan = run_plan.read(content.body)
    known = not ledger.plan(connection, plan, content.last_modified)
    ledger.complete(connection, plan.run_id)
    return "duplicate" if known else "planned"


LOADERS = {SILVER_PREFIX: load_silver, QUARANTINE_PREFIX: load_quarantine, PLANS_PREFIX: load_plan}


def _refuse_unsigned(stored: ObjectId, content: Content) -> None:
    """What we write carries its checksum, which `objects.get` has compared. Damaged Parquet may end the process."""
    if "sha256" not in content.metadata:
        message = f"{stored.key}: not a {stored.key.partition('/')[0]} object of ours: it carries no checksum"
        raise PermanentError(message)


def _connect(settings: Settings) -> Engine:
    if settings.database_url is None:
        message = "SMELT_DATABASE_URL is not set: the loader needs a database"
        raise PermanentError(message)
    return connect(settings.database_url, "loader")


def _key_texts(dataset: str, frame: pl.DataFrame) -> list[str]:
    keys = key_names(contract.tables(dataset))
    return frame.select(pl.concat_str(keys, separator="\t")).to_series().to_list()


if __name__ == "__main__":
    worker.run("loader", bootstrap, check)
