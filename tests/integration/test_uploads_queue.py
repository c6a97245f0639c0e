"""What is not of a run goes on to a queue of its own, and is refined from there."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from services.ops import dead_letters
from services.ops.dead_letters import REPLAYS
from services.ops.selection import Filter
from services.transformer import uploads, worker
from shared import objects
from shared.engine.message import Message
from shared.events import IN_FULL, created_event
from shared.objects import ObjectId
from shared.topology import BRONZE, SILVER, UPLOADS
from tests.integration.letters import bury
from tests.integration.pipeline import DATASET, Pipeline, emptied, posting
from tests.integration.test_dlq import send_again

pytestmark = pytest.mark.integration

UPLOAD = objects.upload_key(DATASET, "a.json")
REPLAY = objects.replay_key(DATASET, "20260105T000000Z-0123abcd", 1)


@pytest.fixture
def pipeline(database: Engine) -> Iterator[Pipeline]:
    assert database
    with emptied() as made:
        yield made


def message(pipeline: Pipeline, body: str, **attributes: str) -> Message:
    url = pipeline.connections.settings.queue_url(BRONZE)
    return Message(body, "id", "receipt", url, 1, 0, 0, attributes)


@pytest.mark.parametrize("key", [UPLOAD, REPLAY])
def test_what_is_not_of_a_run_is_passed_on_as_it_is(pipeline: Pipeline, key: str) -> None:
    body = created_event(ObjectId("smelt-local", key, "v1"))
    handle = worker.bootstrap(pipeline.connections.settings)
    assert handle(message(pipeline, body, **{IN_FULL: "1", "note": "mine"})) == "passed on"
    (passed,) = pipeline.taken(UPLOADS)
    assert passed.body == body
    assert passed.attributes.items() >= {IN_FULL: "1", "note": "mine"}.items()


def test_a_page_is_refined_where_it_is(pipeline: Pipeline) -> None:
    pipeline.put_page(1, posting(1))
    assert [worker.bootstrap(pipeline.connections.settings)(one) for one in pipeline.taken(BRONZE)] == ["refined"]
    assert pipeline.drop(UPLOADS) == 0


def test_an_upload_reaches_its_rows_by_way_of_both_queues(pipeline: Pipeline) -> None:
    pipeline.put(UPLOAD, posting(1))
    assert pipeline.work() == ["passed on", "refined", "loaded"]


def test_a_message_with_as_many_attributes_as_sqs_takes_is_passed_on(pipeline: Pipeline) -> None:
    body = created_event(ObjectId("smelt-local", UPLOAD, "v1"))
    many = {f"a{number}": "x" for number in range(10)}
    worker.bootstrap(pipeline.connections.settings)(message(pipeline, body, **many))
    (passed,) = pipeline.taken(UPLOADS)
    assert passed.attributes == many


def test_an_upload_waits_while_the_loader_has_enough_to_do(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    url, sqs = pipeline.connections.settings.queue_url(SILVER), pipeline.connections.sqs
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="an event")
    slept: list[float] = []
    handle = uploads.bootstrap(pipeline.connections.settings)
    pressure = handle.__self__.pressure  # type: ignore[attr-defined]
    assert pressure._limits == {url: uploads.LIMITS[SILVER]}
    monkeypatch.setattr(pressure, "_limits", {url: 2})
    monkeypatch.setattr(pressure, "_sleep", lambda seconds: [slept.append(seconds), sqs.purge_queue(QueueUrl=url)])
    monkeypatch.setattr(pressure, "_clock", lambda: sum(slept))
    pipeline.put(UPLOAD, posting(1))
    (event,) = pipeline.taken(BRONZE)
    assert handle(event) == "refined"
    assert slept


def test_a_dead_letter_of_the_queue_of_uploads_is_sent_back_to_it(pipeline: Pipeline) -> None:
    connections = pipeline.connections
    bury(connections, "no event", UPLOADS, source_queue=UPLOADS.name)
    assert [letter.queue for letter in dead_letters.look(connections)] == [UPLOADS.name]
    assert send_again(connections, Filter(queue=UPLOADS)).done == 1
    assert [one.body for one in pipeline.taken(UPLOADS)] == ["no event"]
    assert dead_letters.look(connections) == []


def test_the_count_of_replays_goes_with_what_is_passed_on(pipeline: Pipeline) -> None:
    body = created_event(ObjectId("smelt-local", UPLOAD, "v1"))
    handle = worker.bootstrap(pipeline.connections.settings)
    handle(message(pipeline, body, **{REPLAYS: "2"}))
    (passed,) = pipeline.taken(UPLOADS)
    assert passed.attributes[REPLAYS] == "2"
