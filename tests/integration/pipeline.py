"""Transformer and loader in this process, on the real queues that S3 publishes to."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from services.loader import worker as loading
from services.loader.load import load
from services.ops.connections import Connections, connect
from services.transformer import uploads
from services.transformer import worker as transforming
from shared.config.topology import BRONZE, SILVER, UPLOADS, Queue
from shared.datasets.silver_tables import METADATA
from shared.datasets.source import Part
from shared.engine.message import Message
from shared.formats.run_plan import RunPlan
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from tests.integration.letters import purge

DATASET = "usajobs_search"
RUN = "20260105T000000Z-0123abcd"
MONDAY = "Mon, 05 Jan 2026 12:00:00 GMT"
URL = "https://data.usajobs.gov/api/search"


@dataclass(frozen=True)
class Pipeline:
    """What stands between an object in bronze and its rows, working when told to."""

    connections: Connections

    def put(self, key: str, *records: dict[str, Any]) -> ObjectId:
        """A response with these records, as an upload or wherever the key says."""
        return self.put_body(key, json.dumps(response(records)).encode())

    def put_page(self, page: int, *records: dict[str, Any], of: int = 3, date: str = MONDAY) -> ObjectId:
        """A page of the run, in its envelope."""
        envelope = {
            "request": {"url": URL, "params": {"Keyword": "smelter", "Page": str(page)}},
            "response": {
                "status": 200,
                "headers": {"date": date},
                "received_at": "2026-01-05T12:00:01+00:00",
                "payload": response(records),
            },
            "ingest": {"run_id": RUN, "part": 1, "page": page, "of": of},
        }
        return self.put_body(object_keys.page_key(DATASET, RUN, 1, page), json.dumps(envelope).encode())

    def put_body(self, key: str, body: bytes) -> ObjectId:
        """Signed, as the extractor stores it."""
        s3, bucket = self.connections.s3, self.connections.settings.bucket
        metadata = {
            "sha256": sha256(body).hexdigest(),
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }
        version = s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)["VersionId"]
        return ObjectId(bucket, key, version)

    def plan(self, pages: int, expected_records: int) -> None:
        """The run is planned, and its plan on its way."""
        part = Part({"Keyword": "smelter"}, expected_records, pages)
        plan = RunPlan(
            run_id=RUN,
            dataset=DATASET,
            params={"Keyword": "smelter"},
            trigger="test",
            expected_records=expected_records,
            parts=(part,),
        )
        self.put_body(object_keys.plan_key(DATASET, RUN), plan.model_dump_json().encode())

    def work(self) -> list[str]:
        """Handle messages until there are none; the outcomes."""
        handlers = {
            BRONZE: transforming.bootstrap(self.connections.settings),
            UPLOADS: uploads.bootstrap(self.connections.settings),
            SILVER: loading.bootstrap(self.connections.settings),
        }
        outcomes: list[str] = []
        while done := [handlers[queue](message) for queue in handlers for message in self.taken(queue)]:
            outcomes += done
        return outcomes

    def refined(self) -> list[str]:
        """What the transformer does with what is there, while no loader works."""
        transformer = transforming.compose(self.connections.settings)
        return [transformer.handle(message) for queue in (BRONZE, UPLOADS) for message in self.taken(queue)]

    def taken(self, queue: Queue) -> Iterator[Message]:
        """Up to ten messages, taken off it once they are handled."""
        sqs, url = self.connections.sqs, self.connections.settings.queue_url(queue)
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
        )
        for raw in found.get("Messages", []):
            yield Message.received(raw, url)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=raw["ReceiptHandle"])

    def drop(self, queue: Queue) -> int:
        """Lose what is on a queue; how many messages."""
        return sum(1 for _ in iter(lambda: [*self.taken(queue)], []))

    def load(self, key: str) -> str:
        """What the loader does with one object."""
        return load(
            self.connections.s3, self.connections.database, ObjectId(self.connections.settings.bucket, key)
        ).outcome

    def digest(self, *, left_out: Sequence[str] = ()) -> str:
        """Of every row of every silver table, and every column but those left out."""
        found = []
        with self.connections.database.connect() as connection:
            for table in METADATA.sorted_tables:
                columns = [column for column in table.columns if column.name not in left_out]
                found.append((table.name, sorted(map(repr, connection.execute(select(*columns))))))
        return sha256(repr(found).encode()).hexdigest()


def posting(number: int, title: str = "Smelter") -> dict[str, Any]:
    return {"MatchedObjectId": str(number), "MatchedObjectDescriptor": {"PositionTitle": title}}


BROKEN = {"MatchedObjectId": "77", "MatchedObjectDescriptor": {}}


def response(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"SearchResult": {"SearchResultCountAll": len(records), "SearchResultItems": [*records]}}


@contextmanager
def emptied() -> Iterator[Pipeline]:
    """On an empty bucket and empty queues."""
    connections = connect()
    s3, bucket = connections.s3, connections.settings.bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
    purge(connections)
    connections.pending_retries._redis.flushall()
    yield Pipeline(connections)
    connections.database.dispose()
