"""The extractor on real queues, bucket and Redis, against the simulator: planning and fetching, once and again."""

import gzip
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import boto3
import httpx
import pytest
import redis

from services.extractor.rate_limit import RateLimit, connection_pool
from services.extractor.worker import Extractor, bootstrap
from services.transformer.input_limits import InputLimits
from shared.config.settings import load_settings
from shared.engine.message import Message
from shared.errors import PermanentError, TransientError
from shared.formats.commands import PageCommand
from shared.storage import object_id, object_keys, objects

pytestmark = pytest.mark.integration

RUN = "20260101T000000Z-{:08x}"


@pytest.fixture(scope="module")
def extractor(backends: Mapping[str, str]) -> Iterator[Extractor]:
    assert backends
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    yield made
    made.http.close()
    made.limit._redis.connection_pool.disconnect()


@pytest.fixture
def queue(extractor: Extractor, request: pytest.FixtureRequest) -> str:
    """An extract queue of the test's own."""
    name = f"extract-{abs(hash(request.node.name))}"
    return str(extractor.sqs.create_queue(QueueName=name)["QueueUrl"])


def message(body: dict[str, Any]) -> Message:
    return Message(json.dumps(body), "id", "receipt", "url", 1, 1_767_225_600_000, 0, {})


def page_commands(url: str) -> list[PageCommand]:
    sqs, found = boto3.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [PageCommand.model_validate_json(message["Body"]) for message in messages]
    return sorted(found, key=lambda command: (command.part, command.page))


def bronze(extractor: Extractor, key: str) -> dict[str, Any]:
    body = objects.get(extractor.s3, object_id.ObjectId(extractor.bucket, key), 1 << 28).body
    return dict(json.loads(gzip.decompress(body)))


def test_a_run_is_planned_once_and_its_pages_are_sent_each_time(extractor: Extractor, queue: str) -> None:
    mine = replace(extractor, queue_url=queue)
    command = {"version": 1, "type": "run", "dataset": "usajobs_search", "run_id": RUN.format(1), "params": {}}
    assert mine.handle(message(command)) == "planned"
    first = page_commands(queue)
    httpx.post(f"{_simulator()}/_simulator", json={"advance_days": 5})
    assert mine.handle(message(command)) == "planned"
    assert page_commands(queue) == first
    assert [(page.part, page.page, page.of) for page in first] == [(1, 1, 1)]


def test_a_page_is_fetched_once(extractor: Extractor) -> None:
    page = PageCommand(
        dataset="usajobs_search", run_id=RUN.format(2), params={"Keyword": "nurse"}, part=1, page=1, of=1
    )
    before = httpx.get(f"{_simulator()}/_simulator").json()["requests"]
    assert extractor.handle(message(page.model_dump())) == "fetched"
    assert extractor.handle(message(page.model_dump())) == "duplicate"
    assert httpx.get(f"{_simulator()}/_simulator").json()["requests"] == before + 1
    stored = bronze(extractor, object_keys.page_key("usajobs_search", RUN.format(2), 1, 1))
    assert stored["request"]["params"]["Keyword"] == "nurse"
    rows = stored["response"]["payload"]["SearchResult"]["SearchResultCountAll"]
    assert stored["ingest"] == {"run_id": RUN.format(2), "part": 1, "page": 1, "of": 1, "part_rows": rows}
    assert stored["response"]["headers"]["date"]


def test_what_is_stored_is_what_the_transformer_reads(extractor: Extractor) -> None:
    assert extractor.max_bytes == InputLimits.of(load_settings()).document


def test_no_secret_reaches_the_bucket(extractor: Extractor, backends: Mapping[str, str]) -> None:
    page = PageCommand(dataset="usajobs_search", run_id=RUN.format(3), params={}, part=1, page=1, of=1)
    extractor.handle(message(page.model_dump()))
    stored = json.dumps(bronze(extractor, object_keys.page_key("usajobs_search", RUN.format(3), 1, 1)))
    assert backends["SMELT_USAJOBS_API_KEY"] not in stored
    assert backends["SMELT_USAJOBS_USER_AGENT"] not in stored


def test_a_command_that_is_none_is_a_permanent_error(extractor: Extractor) -> None:
    with pytest.raises(PermanentError, match="not a smelt command"):
        extractor.handle(message({"type": "dance"}))


def test_page_commands_that_sqs_did_not_take_are_sent_again(extractor: Extractor, queue: str) -> None:
    class HalfDeafSqs:
        """SQS as it answers under throttling: 200, with some entries failed."""

        def send_message_batch(self, **_: object) -> dict[str, Any]:
            return {"Failed": [{"Id": "0", "Message": "throttled"}]}

    command = {"version": 1, "type": "run", "dataset": "usajobs_search", "run_id": RUN.format(4)}
    deaf = replace(extractor, sqs=HalfDeafSqs(), queue_url=queue)  # type: ignore[arg-type]
    with pytest.raises(TransientError, match="only some"):
        deaf.handle(message(command))
    assert replace(extractor, queue_url=queue).handle(message(command)) == "planned"
    assert page_commands(queue)


@pytest.fixture
def limits(backends: Mapping[str, str]) -> Iterator[tuple[RateLimit, RateLimit]]:
    """Those of two extractors on one Redis."""
    pools = [connection_pool(backends["SMELT_REDIS_URL"]) for _ in range(2)]
    redis.Redis(connection_pool=pools[0]).flushall()
    yield RateLimit(pools[0]), RateLimit(pools[1])
    for pool in pools:
        pool.disconnect()


def hits(limit: RateLimit, source: str, per_second: int) -> int:
    """How many requests may be sent without waiting."""
    return sum(limit._shared.hit(limit.item(per_second), "smelt", "requests", source) for _ in range(per_second * 3))


def test_extractors_share_one_rate(limits: tuple[RateLimit, RateLimit]) -> None:
    first, second = limits
    assert hits(first, "shared", 20) == 20
    assert hits(second, "shared", 20) == 0
    assert hits(second, "another source", 20) == 20


def test_a_pause_one_extractor_was_asked_for_holds_the_others(limits: tuple[RateLimit, RateLimit]) -> None:
    first, second = limits
    first.pause("holding", 600)
    with pytest.raises(TransientError, match="asked for a pause;") as caught:
        second.wait("holding", 5)
    assert caught.value.after
    assert caught.value.after > 500
    second.wait("not holding", 5)


def test_without_redis_each_keeps_to_the_rate_by_itself() -> None:
    alone = RateLimit(connection_pool("redis://127.0.0.1:1/0"))
    alone.pause("away", 1)
    alone.wait("away", 5)


def _simulator() -> str:
    return os.environ["SMELT_USAJOBS_BASE_URL"]
