"""Uploads and replays have a queue of their own, to which S3 publishes their events."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from services.ops.dlq import dead_letters
from services.ops.dlq.filters import DeadLetterFilter
from services.transformer import uploads, worker
from shared.config.topology import BRONZE, SILVER, UPLOADS
from shared.formats.s3_events import created_objects
from shared.storage import object_keys
from tests.integration.letters import bury
from tests.integration.pipeline import DATASET, Pipeline, emptied, posting
from tests.integration.test_dlq import send_again

pytestmark = pytest.mark.integration

UPLOAD = object_keys.upload_key(DATASET, "a.json")
REPLAY = object_keys.replay_key(DATASET, "20260105T000000Z-0123abcd", 1)


@pytest.fixture
def pipeline(database: Engine) -> Iterator[Pipeline]:
    assert database
    with emptied() as made:
        yield made


@pytest.mark.parametrize("key", [UPLOAD, REPLAY])
def test_s3_tells_the_queue_of_uploads_and_no_other(pipeline: Pipeline, key: str) -> None:
    pipeline.put(key, posting(1))
    assert [stored.key for event in pipeline.taken(UPLOADS) for stored in created_objects(event.body)] == [key]
    assert pipeline.drop(BRONZE) == 0


def test_s3_tells_the_transformer_of_a_page_and_no_other(pipeline: Pipeline) -> None:
    pipeline.put_page(1, posting(1))
    assert [worker.bootstrap(pipeline.connections.settings)(one) for one in pipeline.taken(BRONZE)] == ["refined"]
    assert pipeline.drop(UPLOADS) == 0


def test_an_upload_reaches_its_rows_in_two_steps(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    assert pipeline.work() == ["refined", "loaded"]


def test_an_upload_waits_while_the_loader_has_enough_to_do(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    url, sqs = pipeline.connections.settings.queue_url(SILVER), pipeline.connections.sqs
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="an event")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        sqs.purge_queue(QueueUrl=url)

    handle = uploads.bootstrap(pipeline.connections.settings)
    pressure = handle.__self__.pressure  # type: ignore[attr-defined]
    assert pressure._limits == {url: uploads.LIMITS[SILVER]}
    monkeypatch.setattr(pressure, "_limits", {url: 2})
    monkeypatch.setattr(pressure, "_sleep", sleep)
    monkeypatch.setattr(pressure, "_clock", lambda: sum(slept))
    pipeline.put(UPLOAD, posting(1))
    (event,) = pipeline.taken(UPLOADS)
    assert handle(event) == "refined"
    assert slept


def test_a_dead_letter_of_the_queue_of_uploads_is_sent_back_to_it(pipeline: Pipeline) -> None:
    connections = pipeline.connections
    bury(connections, "no event", UPLOADS, source_queue=UPLOADS.name)
    assert [letter.queue for letter in dead_letters.look(connections)] == [UPLOADS.name]
    assert send_again(connections, DeadLetterFilter(queue=UPLOADS)).done == 1
    assert [one.body for one in pipeline.taken(UPLOADS)] == ["no event"]
    assert dead_letters.look(connections) == []
