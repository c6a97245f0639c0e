"""Known records travel as bare sightings. Whatever the cache says or forgets, the database ends up the same."""

from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import boto3
import orjson
import pytest
import redis
from sqlalchemy import Engine

from services.loader.worker import bootstrap as load_with
from services.transformer.worker import bootstrap as transform_with
from shared.cache.content_hashes import KEY
from shared.config.settings import Settings, load_settings
from shared.engine.message import Message
from shared.formats import silver
from shared.formats.s3_events import created_event
from shared.storage import object_keys
from shared.storage.object_id import ObjectId
from tests.integration.test_loader import DATASET, MONDAY, counts, digest, posting, titles

pytestmark = pytest.mark.integration

RUN = "20260105T000000Z-0123abcd"
PAGES = f"bronze/{DATASET}/date=2026-01-05/run={RUN}/"
INGEST = {"run_id": RUN, "part": 1, "page": 1, "of": 1}


class Pipeline:
    """The transformer and the loader of this deployment, called in turn, with what they send each other."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.s3, self.sqs = settings, boto3.client("s3"), boto3.client("sqs")
        self.transform, self.load = transform_with(settings), load_with(settings)
        self.clock = MONDAY
        self.redis = redis.Redis.from_url(settings.redis_url.get_secret_value())

    def put_page(self, name: str, *postings: dict[str, Any]) -> list[str]:
        """Put a page that is a minute younger than the last, and follow it; the outcomes of all messages on its way."""
        key = f"{PAGES}{name}"
        self.clock += timedelta(minutes=1)
        payload = {"SearchResult": {"SearchResultItems": postings}}
        headers = {"date": format_datetime(self.clock, usegmt=True)}
        body = orjson.dumps({"response": {"headers": headers, "payload": payload}, "ingest": INGEST})
        stored = self.s3.put_object(Bucket=self.settings.bucket, Key=key, Body=body)
        bronze = ObjectId(self.settings.bucket, key, stored["VersionId"], stored["ETag"].strip('"'), sequencer="0A")
        self.sqs.purge_queue(QueueUrl=self.settings.bronze_queue_url)  # the event that S3 sent: ours has a sequencer
        return self.follow(bronze, {})

    def follow(self, bronze: ObjectId, attributes: Mapping[str, str]) -> list[str]:
        outcomes = [self.transform(_message(bronze, attributes))]
        batch = ObjectId(bronze.bucket, object_keys.silver_key(bronze, 1, 1))
        outcomes.append(self.load(_message(batch, {})))
        if outcomes[-1] == "needed in full":
            (asked,) = self.sqs.receive_message(
                QueueUrl=self.settings.bronze_queue_url, MessageAttributeNames=["All"], WaitTimeSeconds=5
            )["Messages"]
            assert asked["Body"] == created_event(bronze)
            outcomes += self.follow(bronze, dict.fromkeys(asked["MessageAttributes"], "1"))
        return outcomes


def _message(stored: ObjectId, attributes: Mapping[str, str]) -> Message:
    return Message(created_event(stored), "id", "receipt", "queue", 1, 0, 0, attributes)


@pytest.fixture
def pipeline(database: Engine) -> Pipeline:  # noqa: ARG001 - emptied
    made = Pipeline(load_settings())
    made.redis.flushall()
    return made


def hash_only_rows(pipeline: Pipeline, name: str) -> int:
    """How many rows of the newest silver object of this page are bare sightings."""
    prefix = f"{PAGES.replace('bronze/', 'silver/')}{name}/"
    stored = pipeline.s3.list_objects_v2(Bucket=pipeline.settings.bucket, Prefix=prefix)["Contents"]
    newest = max(stored, key=lambda one: one["LastModified"])
    body = pipeline.s3.get_object(Bucket=pipeline.settings.bucket, Key=newest["Key"])["Body"].read()
    return int(silver.read(body)[1]["hash_only"].sum())


def test_what_is_known_travels_as_a_sighting_and_counts_as_unchanged(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put_page("a.json", posting(1), posting(2), posting(3))
    before = digest(database)
    assert pipeline.put_page("b.json", posting(1), posting(2, "Caster"), posting(4)) == ["refined", "loaded"]
    assert hash_only_rows(pipeline, "b.json") == 1
    assert counts(database)[-1] == (3, 1, 1, 1, 0)
    assert titles(database) == {1: "Smelter", 2: "Caster", 3: "Smelter", 4: "Smelter"}
    assert before != digest(database)


def test_a_lost_cache_costs_only_the_second_look(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put_page("c.json", posting(1), posting(2))
    pipeline.redis.flushall()
    assert pipeline.put_page("d.json", posting(1), posting(2)) == ["refined", "loaded"]
    assert hash_only_rows(pipeline, "d.json") == 0
    assert counts(database)[-1] == (2, 0, 0, 2, 0)


def test_content_that_the_cache_promised_in_vain_is_asked_for_in_full(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put_page("e.json", posting(1), posting(2), posting(3))
    with database.begin() as connection:
        connection.exec_driver_sql("truncate silver.job, silver.job_last_seen cascade")
    outcomes = pipeline.put_page("f.json", posting(1), posting(2), posting(3))
    assert outcomes == ["refined", "needed in full", "refined", "loaded"]
    assert counts(database)[-1] == (3, 3, 0, 0, 0)
    assert len(titles(database)) == 3


def test_a_wrong_hash_in_the_cache_never_keeps_a_change_out(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put_page("g.json", posting(1, "old"))
    held = pipeline.redis.get(f"{KEY}{DATASET}:1")
    assert held
    pipeline.put_page("h.json", posting(1, "new"))
    pipeline.redis.set(f"{KEY}{DATASET}:1", held)  # as if the publication had been lost
    outcomes = pipeline.put_page("i.json", posting(1, "old"))  # and the source went back
    assert outcomes == ["refined", "needed in full", "refined", "loaded"]
    assert titles(database) == {1: "old"}


def test_a_sighting_older_than_what_is_held_is_stale_and_needs_nothing(pipeline: Pipeline, database: Engine) -> None:
    pipeline.put_page("j.json", posting(1, "old"))
    held = pipeline.redis.get(f"{KEY}{DATASET}:1")
    assert held
    with database.begin() as connection:
        later = "update silver.job_last_seen set observed_at = observed_at + interval '1 day', content_hash = 'x'"
        connection.exec_driver_sql(later)
    pipeline.redis.set(f"{KEY}{DATASET}:1", held)
    assert pipeline.put_page("k.json", posting(1, "old")) == ["refined", "loaded"]
    assert counts(database)[-1] == (1, 0, 0, 0, 1)


def test_without_redis_everything_is_looked_at_in_full(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_REDIS_URL", "redis://127.0.0.1:1/0")
    pipeline = Pipeline(load_settings())
    pipeline.put_page("l.json", posting(1))
    assert pipeline.put_page("m.json", posting(1)) == ["refined", "loaded"]
    assert counts(database)[-1] == (1, 0, 0, 1, 0)
