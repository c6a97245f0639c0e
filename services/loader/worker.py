"""The loader: silver batch, quarantine or run plan in, rows in Postgres out, each object in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from services.loader.load import NeededInFullError, load
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import Settings
from shared.config.topology import BRONZE, UPLOADS, queue_for_key
from shared.database.engine import LONGEST_TRANSACTION, classify_error, connect, probe
from shared.database.migrate import missing
from shared.datasets import consistency
from shared.engine import worker
from shared.engine.availability import Probe
from shared.engine.consumer import Handler
from shared.engine.message import Message
from shared.errors import Part, PermanentError
from shared.formats.s3_events import IN_FULL, created_event, created_objects
from shared.storage import objects
from shared.storage.object_id import ObjectId

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


def check(settings: Settings) -> None:
    """Raises PermanentError unless datasets are consistent and the database is there, with the schema of this code."""
    consistency.check_all()
    engine = _connect(settings)
    try:
        needed = missing(engine)
    except DBAPIError as error:
        raise PermanentError(str(classify_error(error, engine))) from error
    engine.dispose()
    if needed:
        message = f"the database lacks migrations {', '.join(sorted(needed))}: run `smelt db upgrade`"
        raise PermanentError(message)


@dataclass(frozen=True)
class Loader:
    """What the handler works with."""

    s3: "S3Client"
    sqs: "SQSClient"
    engine: Engine
    known: ContentHashCache
    bucket: str
    raw_queue_urls: Mapping[str, str]  # {queue name: URL}, for objects that are needed in full

    def handle(self, message: Message) -> str:
        """Load every object that the event names."""
        stored = created_objects(message.body)
        for one in stored:
            objects.require_bucket(one, self.bucket)
        return ", ".join(sorted({self._load(one) for one in stored})) or "ignored"

    def _load(self, stored: ObjectId) -> str:
        """What the cache promised in vain is asked for in full before the message is done: nothing of it was loaded."""
        try:
            loaded = load(self.s3, self.engine, stored)
        except NeededInFullError as needed:
            self.sqs.send_message(
                QueueUrl=self.raw_queue_urls[queue_for_key(needed.source.key).name],
                MessageBody=created_event(needed.source),
                MessageAttributes={IN_FULL: {"DataType": "String", "StringValue": "1"}},
            )
            return "needed in full"
        self.known.publish(loaded.dataset, loaded.held)
        return loaded.outcome


def bootstrap(settings: Settings) -> Handler:
    """Compose the handler: S3, SQS, the database, and Redis to tell what is known."""
    return Loader(
        s3=boto3.client("s3"),
        sqs=worker.sqs_client(settings.receive_wait_seconds),
        engine=_connect(settings),
        known=ContentHashCache(settings.redis_url.get_secret_value()),
        bucket=settings.bucket,
        raw_queue_urls={queue.name: settings.queue_url(queue) for queue in (BRONZE, UPLOADS)},
    ).handle


def probes(settings: Settings) -> Mapping[Part, Probe]:
    """How to ask whether the database is there again."""
    return {"database": partial(probe, _database_url(settings))}


def _connect(settings: Settings) -> Engine:
    return connect(_database_url(settings), "loader", LONGEST_TRANSACTION)


def _database_url(settings: Settings) -> SecretStr:
    if settings.database_url is None:
        message = "SMELT_DATABASE_URL is not set: the loader needs a database"
        raise PermanentError(message)
    return settings.database_url


if __name__ == "__main__":
    worker.run("loader", bootstrap, check, probes)
