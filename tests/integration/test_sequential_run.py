"""A run whose pages come one after another, from the simulator to Postgres: all by hand, and some of it lost."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest
from sqlalchemy import Engine, text

from services.extractor.worker import Extractor, bootstrap
from services.loader import load as loader
from services.ops.connections import Connections, connect
from services.ops.reconcile import reconciliation
from services.transformer.input_limits import InputLimits
from services.transformer.worker import Transformer
from shared.config.settings import load_settings
from shared.datasets.source import Part
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from shared.formats.commands import PageCommand
from shared.formats.run_plan import RunPlan
from shared.storage import object_keys, objects
from shared.storage.object_id import ObjectId

pytestmark = pytest.mark.integration

DATASET = "usajobs_historic"
WINDOW = {"StartPositionOpenDate": "2025-01-01", "EndPositionOpenDate": "2025-12-31"}
PAGES = 4  # of a thousand postings each, the last with fewer
MIB = 1 << 20
BOUNDS = InputLimits(stored=64 * MIB, expanded=64 * MIB, document=64 * MIB, record=MIB, nesting=64)


@dataclass
class World:
    """All services, working one message at a time."""

    extractor: Extractor
    connections: Connections
    run_id: str

    def plan(self) -> None:
        """What the run's first command does, and the loader after it."""
        command = {"version": 1, "type": "run", "dataset": DATASET, "run_id": self.run_id, "params": WINDOW}
        self.extractor.handle(message(json.dumps(command)))
        self.load(object_keys.plan_key(DATASET, self.run_id))

    def plan_otherwise(self, *parts: Part) -> None:
        """As if the source had announced something else when the run was planned."""
        plan = RunPlan(
            run_id=self.run_id, dataset=DATASET, params=WINDOW, trigger="test", expected_records=1, parts=tuple(parts)
        )
        key = object_keys.plan_key(DATASET, self.run_id)
        objects.put(self.extractor.s3, self.extractor.bucket, key, plan.model_dump_json().encode(), "application/json")
        self.plan()

    def commands(self) -> list[str]:
        """What is on the extract queue, taken off it."""
        sqs, url, bodies = self.extractor.sqs, self.extractor.queue_url, []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in messages:
                bodies.append(one["Body"])
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return bodies

    def work(self, *, losing: int | None = None) -> list[tuple[int, int]]:
        """Handle page commands until there are none; returns (page, of) of each, and drops the one for `losing`."""
        handled = []
        while bodies := self.commands():
            for body in bodies:
                page = PageCommand.model_validate_json(body)
                if page.page != losing:
                    handled.append((page.page, page.of))
                    self.extractor.handle(message(body))
                    self.transform_object(object_keys.page_key(DATASET, self.run_id, page.part, page.page))
        return handled

    def transform_object(self, key: str) -> None:
        """What transformer and loader do with a page."""
        s3, bucket = self.extractor.s3, self.extractor.bucket
        version = s3.head_object(Bucket=bucket, Key=key)["VersionId"]
        Transformer(s3, bucket, BOUNDS).transform_object(ObjectId(bucket, key, version))
        for made in sorted(objects.list_keys(s3, bucket, f"silver/{key.removeprefix('bronze/')}/")):
            self.load(made)

    def load(self, key: str) -> None:
        loader.load(self.extractor.s3, self.connections.database, ObjectId(self.extractor.bucket, key))

    def run(self) -> dict[str, Any]:
        """Its row, and the number of its postings."""
        query = text(
            "select completed_at is not null as complete, distinct_records, expected_records, planned_pages,"
            " (select count(*) from silver.historic_joa) as postings from ops.run where run_id = :run_id"
        )
        with self.connections.database.connect() as connection:
            return dict(connection.execute(query, {"run_id": self.run_id}).one()._mapping)


def message(body: str) -> Message:
    """As it comes from the extract queue."""
    return Message(body, "id", "receipt", "url", 1, 1_767_225_600_000, 0, {})


@pytest.fixture
def world(backends: Mapping[str, str], database: Engine, request: pytest.FixtureRequest) -> Iterator[World]:
    """Empty tables and an extract queue of the test's own."""
    assert backends
    assert database
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    number = abs(hash(request.node.name)) % 16**8
    sqs = boto3.client("sqs")
    queue = sqs.create_queue(QueueName=f"sequential-{number}")["QueueUrl"]
    sqs.create_queue(QueueName=f"sequential-{number}-dlq")
    connections = connect()
    mine = replace(connections, settings=connections.settings.model_copy(update={"extract_queue_url": queue}))
    yield World(replace(made, queue_url=queue), mine, f"20260103T000000Z-{number:08x}")
    made.http.close()
    made.limit._redis.connection_pool.disconnect()
    connections.database.dispose()


def test_each_page_brings_the_next_until_the_run_is_complete(world: World) -> None:
    world.plan()
    assert world.work() == [(1, PAGES), (2, PAGES), (3, PAGES), (4, PAGES)]
    run = world.run()
    assert run["complete"]
    assert run["expected_records"] == run["distinct_records"] == run["postings"] > 3_000
    assert run["planned_pages"] == PAGES


@pytest.mark.parametrize("lost", range(1, PAGES + 1))
def test_a_page_command_that_was_lost_is_found_and_the_rest_of_the_part_follows(world: World, lost: int) -> None:
    world.plan()
    assert len(world.work(losing=lost)) == lost - 1
    assert not world.run()["complete"]
    missing = reconciliation.find_missing(world.connections)
    mine = tuple(page for page in missing.pages if page.run_id == world.run_id)
    assert [page.page for page in mine] == [lost]
    reconciliation.repair(world.connections, replace(missing, objects=(), pages=mine))
    assert [page for page, _ in world.work()] == list(range(lost, PAGES + 1))
    run = world.run()
    assert run["complete"]
    assert run["distinct_records"] == run["expected_records"]


def test_a_page_command_delivered_twice_sends_for_the_next_page_again(world: World) -> None:
    world.plan()
    (first,) = world.commands()
    assert world.extractor.handle(message(first)) == "fetched"
    (second,) = world.commands()
    assert world.extractor.handle(message(first)) == "duplicate"
    assert world.commands() == [second]


def test_a_part_that_turns_out_longer_than_planned_is_fetched_to_its_end(world: World) -> None:
    world.plan_otherwise(Part(WINDOW, 1, 1))
    assert world.work() == [(1, 1), (2, 2), (3, 3), (4, 4)]
    run = world.run()
    assert run["complete"]
    assert run["distinct_records"] == run["postings"] > 3_000


def test_a_part_that_turns_out_longer_is_not_complete_before_its_end(world: World) -> None:
    world.plan_otherwise(Part(WINDOW, 1, 1))
    world.work(losing=3)
    assert not world.run()["complete"]
    missing = [page for page in reconciliation.find_missing(world.connections).pages if page.run_id == world.run_id]
    assert [(page.page, page.of) for page in missing] == [(3, 3)]


def test_a_part_that_turns_out_shorter_than_planned_is_complete_at_its_end(world: World) -> None:
    world.plan_otherwise(Part(WINDOW, 9_000, 9))
    assert world.work() == [(1, 9), (2, 9), (3, 9), (4, 9)]
    assert world.run()["complete"]
    assert [page for page in reconciliation.find_missing(world.connections).pages if page.run_id == world.run_id] == []


def test_a_page_whose_predecessor_is_not_there_yet_is_tried_again(world: World) -> None:
    page = PageCommand(dataset=DATASET, run_id=world.run_id, params=WINDOW, part=1, page=2, of=PAGES)
    with pytest.raises(TransientError, match="it has the parameters for page 2"):
        world.extractor.handle(message(page.model_dump_json()))


def test_a_page_beyond_the_end_of_its_part_is_a_permanent_error(world: World) -> None:
    world.plan()
    world.work()
    page = PageCommand(dataset=DATASET, run_id=world.run_id, params=WINDOW, part=1, page=PAGES + 1, of=PAGES + 1)
    with pytest.raises(PermanentError, match=f"part 1 ends with page {PAGES}"):
        world.extractor.handle(message(page.model_dump_json()))


def test_a_window_without_postings_is_complete_at_once(world: World) -> None:
    empty = {"StartPositionOpenDate": "2011-01-01", "EndPositionOpenDate": "2011-12-31"}
    command = {"version": 1, "type": "run", "dataset": DATASET, "run_id": world.run_id, "params": empty}
    world.extractor.handle(message(json.dumps(command)))
    world.load(object_keys.plan_key(DATASET, world.run_id))
    assert world.commands() == []
    run = world.run()
    assert (run["complete"], run["distinct_records"], run["expected_records"]) == (True, 0, 0)
