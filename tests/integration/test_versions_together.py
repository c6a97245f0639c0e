"""Workers of two versions at once, as in every upgrade: nothing that one of them wrote is lost on the other."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Literal

import polars as pl
import pytest
from sqlalchemy import Engine, text

from services.loader import worker as loading
from shared.config.topology import SILVER
from shared.engine import retry
from shared.engine.availability import Availability
from shared.engine.consumer import MessageContext, process_message
from shared.engine.message import Message
from shared.engine.worker_status import WorkerReporter
from shared.errors import NewerVersionError
from shared.formats import silver
from shared.formats.silver import HEADER, SilverHeader
from tests.integration import letters
from tests.integration.pipeline import DATASET, Pipeline, emptied, posting

pytestmark = pytest.mark.integration


@pytest.fixture
def pipeline(database: Engine) -> Iterator[Pipeline]:
    assert database  # emptied, as all else
    with emptied() as made:
        yield made


def received(pipeline: Pipeline) -> Message:
    """The one message on the silver queue."""
    connections, url = pipeline.connections, pipeline.connections.settings.queue_url(SILVER)
    [raw] = connections.sqs.receive_message(
        QueueUrl=url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=5
    )["Messages"]
    return Message.received(raw, url)


def written(pipeline: Pipeline, *, without: str | None = None, **header: Any) -> None:
    """The batch of two postings as a transformer of another version writes it; the one of ours is forgotten."""
    pipeline.put(f"uploads/{DATASET}/page.json", posting(1), posting(2))
    pipeline.refined()
    s3, bucket = pipeline.connections.s3, pipeline.connections.settings.bucket
    [stored] = s3.list_objects_v2(Bucket=bucket, Prefix="silver/")["Contents"]
    body = s3.get_object(Bucket=bucket, Key=stored["Key"])["Body"].read()
    fields = json.loads(pl.read_parquet_metadata(BytesIO(body))[HEADER]) | header
    frame = pl.read_parquet(BytesIO(body))
    other = BytesIO()
    (frame.drop(without) if without else frame).write_parquet(other, metadata={HEADER: json.dumps(fields)})
    pipeline.drop(SILVER)
    pipeline.put_body(stored["Key"], other.getvalue())


def titles(pipeline: Pipeline) -> int:
    with pipeline.connections.database.connect() as connection:
        return int(connection.scalar(text("select count(position_title) from silver.job")) or 0)


def test_a_batch_of_a_newer_form_waits_on_its_queue_for_a_newer_loader(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MAX_SOURCE_WAIT_SECONDS", 1.0)  # s instead of five minutes
    connections = pipeline.connections
    handle = loading.bootstrap(connections.settings)
    reporter = WorkerReporter(connections.settings.redis_url.get_secret_value(), "loader")
    written(pipeline, schema_version=2, of_tomorrow="?")
    message = received(pipeline)
    process_message(
        MessageContext(connections.sqs, SILVER, connections.pending_retries, reporter, Availability({})),
        message,
        handle,
    )
    assert (letters.dead(connections, SILVER), titles(pipeline)) == (0, 0)

    class OfTomorrow(SilverHeader):
        schema_version: Literal[1, 2] = 2  # type: ignore[assignment]

    monkeypatch.setattr(silver, "SilverHeader", OfTomorrow)
    copy = received(pipeline)
    assert (copy.id != message.id, copy.attempts, handle(copy)) == (True, 1, "loaded")
    assert titles(pipeline) == 2


def test_a_batch_with_columns_of_a_newer_transform_waits_for_a_newer_loader(pipeline: Pipeline) -> None:
    written(pipeline, without="position_title", transform_version=9_999)
    with pytest.raises(NewerVersionError, match="by transform version 9999 of a newer version"):
        loading.bootstrap(pipeline.connections.settings)(received(pipeline))


def test_a_batch_without_columns_that_came_later_is_made_anew_by_the_newer_transformer(pipeline: Pipeline) -> None:
    written(pipeline, without="position_title", transform_version=0)
    assert pipeline.work() == ["needed in full", "refined", "loaded"]
    assert titles(pipeline) == 2
