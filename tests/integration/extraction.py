"""A run by hand, from the simulator to Postgres: all services in this process, one message at a time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import boto3
import httpx
import redis
from sqlalchemy import text

from services.extractor.worker import Extractor, bootstrap
from services.loader import load as loader
from services.ops.connections import Connections, connect
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.config.settings import load_settings
from shared.config.topology import QUARANTINE_PREFIX, SILVER_PREFIX
from shared.datasets.catalog.usajobs_search import ApiSettings
from shared.engine.message import Message
from shared.formats.commands import PageCommand
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId

MIB = 1 << 20
BOUNDS = InputLimits(stored=64 * MIB, expanded=64 * MIB, document=64 * MIB, record=MIB, nesting=64)


@dataclass
class Extraction:
    """One dataset's runs; `run_id` is that of the latest."""

    extractor: Extractor
    connections: Connections
    dataset: str
    number: int = 0

    @property
    def run_id(self) -> str:
        return f"20260104T{self.number:06d}Z-00000000"

    def plan(self, **params: str) -> None:
        """A new run is planned, and its plan loaded."""
        self.number += 1
        command = {"version": 1, "type": "run", "dataset": self.dataset, "run_id": self.run_id, "params": params}
        self.extractor.handle(message(json.dumps(command)))
        self.load(object_keys.plan_key(self.dataset, self.run_id))

    def commands(self) -> list[PageCommand]:
        """What is on the extract queue, taken off it, the first pages first."""
        sqs, url, bodies = self.extractor.sqs, self.extractor.queue_url, []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in messages:
                bodies.append(one["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return sorted(map(PageCommand.model_validate_json, bodies), key=lambda page: (page.part, page.page))

    def fetch(self, page: PageCommand) -> str:
        return self.extractor.handle(message(page.model_dump_json()))

    def transform_object(self, page: PageCommand) -> None:
        """What transformer and loader do with a page in bronze."""
        s3, bucket, key = self.extractor.s3, self.extractor.bucket, self.key(page)
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
        Transformer(s3, bucket, BOUNDS).transform_object(ObjectId(bucket, key, version))
        path = key.removeprefix("bronze/")
        for made in sorted(
            made
            for prefix in (SILVER_PREFIX, QUARANTINE_PREFIX)
            for made in objects.list_keys(s3, bucket, f"{prefix}{path}/")
        ):
            self.load(made)

    def work(self) -> int:
        """Fetch and load pages until there are no commands for more; how many."""
        handled = 0
        while pages := self.commands():
            for page in pages:
                self.fetch(page)
                self.transform_object(page)
                handled += 1
        return handled

    def load(self, key: str) -> None:
        loader.load(self.extractor.s3, self.connections.database, ObjectId(self.extractor.bucket, key))

    def key(self, page: PageCommand) -> str:
        return object_keys.page_key(self.dataset, page.run_id, page.part, page.page)

    def stored(self, key: str) -> bytes | None:
        """The object's bytes, if there is one."""
        found = objects.newest(self.extractor.s3, self.extractor.bucket, key)
        return objects.get(self.extractor.s3, found, 64 * MIB).body if found else None

    def rejected(self, page: PageCommand) -> bytes | None:
        """What is kept of an answer that was no page."""
        return self.stored(object_keys.rejected_response_key(self.dataset, page.run_id, page.part, page.page))

    def run(self) -> tuple[bool, int | None, int]:
        """(complete, distinct_records, expected_records) of the latest run."""
        query = text(
            "select completed_at is not null, distinct_records, expected_records from ops.run where run_id = :run_id"
        )
        with self.connections.database.connect() as connection:
            complete, distinct_records, expected_records = connection.execute(query, {"run_id": self.run_id}).one()
        return complete, distinct_records, expected_records

    def scalar(self, query: str) -> Any:
        with self.connections.database.connect() as connection:
            return connection.scalar(text(query))


def simulator(**control: Any) -> dict[str, Any]:
    """Change the simulation; its state."""
    answer = httpx.post(f"{ApiSettings().base_url}/_simulator", json=control).raise_for_status()
    return dict(answer.json())


def message(body: str) -> Message:
    """As it comes from the extract queue."""
    return Message(body, "id", "receipt", "url", 1, 1_767_225_600_000, 0, {})


@contextmanager
def extraction(dataset: str, queue: str) -> Iterator[Extraction]:
    """On an empty bucket, an empty Redis and an extract queue of its own; without faults."""
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    redis.Redis.from_url(load_settings().redis_url.get_secret_value()).flushall()
    for page in made.s3.get_paginator("list_object_versions").paginate(Bucket=made.bucket):
        for version in page.get("Versions", []):
            made.s3.delete_object(Bucket=made.bucket, Key=version["Key"], VersionId=version["VersionId"])
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    dead = sqs.create_queue(QueueName=f"{queue}-dlq")["QueueUrl"]
    for one in (url, dead):
        sqs.purge_queue(QueueUrl=one)
    connections = connect()
    mine = replace(connections, settings=connections.settings.model_copy(update={"extract_queue_url": url}))
    simulator(faults={})
    yield Extraction(replace(made, queue_url=url), mine, dataset)
    simulator(faults={})
    made.http.close()
    made.limit._redis.connection_pool.disconnect()
    connections.database.dispose()
