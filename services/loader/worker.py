"""The loader: loads silver batches, quarantine entries and run plans into Postgres, one transaction per object."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import boto3
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from services.loader import after_loading
from services.loader.load import FullObjectNeededError, load
from shared.cache.content_hashes import ContentHashCache
from shared.config.settings import Settings
from shared.config.topology import BRONZE, UPLOADS, queue_for_key
from shared.database.engine import MAX_TRANSACTION_SECONDS, classify_error, connect, probe
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
    """Raises PermanentError unless datasets are consistent and the database is reachable with the current schema."""
    consistency.check_all()
    engine = _connect(settings)
    try:
        absent = missing(engine)
    except DBAPIError as error:
        raise PermanentError(str(classify_error(error, engine))) from error
    engine.dispose()
    if absent:
        message = f"the database lacks migrations {', '.join(sorted(absent))}: run `smelt db upgrade`"
        raise PermanentError(message)


@dataclass(frozen=True)
class Loader:
    """The handler and its dependencies."""

    s3: "S3Client"
    sqs: "SQSClient"
    engine: Engine
    hash_cache: ContentHashCache
    bucket: str
    raw_queue_urls: Mapping[str, str]  # to request transforming an object in full

    def handle(self, message: Message) -> str:
        """Load every object that the event names."""
        created = created_objects(message.body)
        for object_id in created:
            objects.require_bucket(object_id, self.bucket)
        return ", ".join(sorted({self._load(object_id) for object_id in created})) or "ignored"

    def _load(self, stored: ObjectId) -> str:
        """Load one object.

        If hash-only records are not in the database, request the object in full; nothing was loaded.
        """
        try:
            result = load(self.s3, self.engine, stored)
        except FullObjectNeededError as needed:
            self.sqs.send_message(
                QueueUrl=self.raw_queue_urls[queue_for_key(needed.source.key).name],
                MessageBody=created_event(needed.source),
                MessageAttributes={IN_FULL: {"DataType": "String", "StringValue": "1"}},
            )
            return "needed in full"
        self.hash_cache.publish(result.dataset, result.hashes)
        if result.upload:
            after_loading.run(self.s3, result.dataset, result.upload)
        return result.outcome


def bootstrap(settings: Settings) -> Handler:
    """Compose the loader from S3, SQS, the database and the Redis cache of content hashes."""
    return Loader(
        s3=boto3.client("s3"),
        sqs=worker.sqs_client(settings.receive_wait_seconds),
        engine=_connect(settings),
        hash_cache=ContentHashCache(settings.redis_url.get_secret_value()),
        bucket=settings.bucket,
        raw_queue_urls={queue.name: settings.queue_url(queue) for queue in (BRONZE, UPLOADS)},
    ).handle


def probes(settings: Settings) -> Mapping[Part, Probe]:
    """Probes of the parts that only the loader needs."""
    return {"database": partial(probe, _database_url(settings))}


def _connect(settings: Settings) -> Engine:
    return connect(_database_url(settings), "loader", MAX_TRANSACTION_SECONDS)


def _database_url(settings: Settings) -> SecretStr:
    if settings.database_url is None:
        message = "SMELT_DATABASE_URL is not set: the loader needs a database"
        raise PermanentError(message)
    return settings.database_url


if __name__ == "__main__":
    worker.run("loader", bootstrap, check, probes)
