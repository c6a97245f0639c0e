"""Extraction pauses while those downstream have more than they can do, and no flood keeps a run from its end."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import boto3
import pytest

from services.extractor.worker import LIMITS, Extractor, bootstrap
from shared.config.settings import Settings, load_settings
from shared.config.topology import BRONZE, SILVER
from shared.engine.backpressure import DEPTH_TTL_SECONDS, MAX_PAUSE_SECONDS, Backpressure
from shared.engine.message import Message
from shared.formats.commands import PageCommand, RunCommand

pytestmark = pytest.mark.integration

RUN = "20260101T000000Z-0000ba5e"


class Clock:
    """Time that only passes while somebody sleeps; `asleep` is called each time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asleep: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.asleep()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(backends: Mapping[str, str], request: pytest.FixtureRequest) -> str:
    """A queue of the test's own with three messages."""
    assert backends
    sqs = boto3.client("sqs")
    url = str(sqs.create_queue(QueueName=f"pressed-{abs(hash(request.node.name))}")["QueueUrl"])
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="an upload")
    return url


def pressure(clock: Clock, limits: Mapping[str, int]) -> Backpressure:
    return Backpressure(boto3.client("sqs"), limits, clock, clock.sleep)


def test_at_its_limit_a_queue_holds_nobody_up(clock: Clock, queue: str) -> None:
    pressure(clock, {queue: 3}).wait()
    assert clock.now == 0


def test_beyond_its_limit_extraction_pauses_until_it_is_worked_off(clock: Clock, queue: str) -> None:
    def work_off_after_two_looks() -> None:
        if clock.now >= 2 * DEPTH_TTL_SECONDS:
            boto3.client("sqs").purge_queue(QueueUrl=queue)

    clock.asleep = work_off_after_two_looks
    pressure(clock, {queue: 2}).wait()
    assert clock.now == 2 * DEPTH_TTL_SECONDS


def test_any_queue_downstream_is_enough(clock: Clock, queue: str) -> None:
    other = str(boto3.client("sqs").create_queue(QueueName="not-pressed")["QueueUrl"])
    pressure(clock, {other: 2, queue: 2}).wait()
    assert clock.now == MAX_PAUSE_SECONDS


def test_a_depth_is_believed_for_some_seconds(clock: Clock, queue: str) -> None:
    one = pressure(clock, {queue: 3})
    one.wait()
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody="one more")
    one.wait()
    assert clock.now == 0
    clock.now += DEPTH_TTL_SECONDS
    one.wait()
    assert clock.now > DEPTH_TTL_SECONDS


def test_a_depth_that_cannot_be_measured_holds_nobody_up(clock: Clock, queue: str) -> None:
    pressure(clock, {f"{queue}-gone": 0}).wait()
    assert clock.now == 0


def test_the_longest_pause_is_over_before_a_stop_gives_up_waiting() -> None:
    assert Settings.model_fields["stop_timeout_seconds"].default > MAX_PAUSE_SECONDS + DEPTH_TTL_SECONDS


@pytest.fixture
def extractor(backends: Mapping[str, str], queue: str, clock: Clock) -> Iterator[Extractor]:
    """With downstream over its limit, for ever."""
    assert backends
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    yield replace(made, pressure=pressure(clock, {queue: 2}), queue_url=queue)
    made.http.close()
    made.limit._redis.connection_pool.disconnect()


def message(told: RunCommand | PageCommand) -> Message:
    return Message(told.model_dump_json(), "id", "receipt", "url", 1, 1_767_225_600_000, 0, {})


def page(number: int) -> PageCommand:
    return PageCommand(dataset="usajobs_search", run_id=RUN, params={"Keyword": "nurse"}, part=1, page=number, of=9)


def test_a_flood_that_never_ends_slows_a_run_down_and_neither_stops_nor_buries_it(
    extractor: Extractor, clock: Clock
) -> None:
    assert extractor.handle(message(page(1))) == "fetched"
    assert clock.now == MAX_PAUSE_SECONDS
    assert extractor.handle(message(page(2))) == "fetched"
    assert clock.now == 2 * MAX_PAUSE_SECONDS


def test_what_needs_no_fetching_does_not_pause(extractor: Extractor, clock: Clock) -> None:
    extractor.handle(message(page(3)))
    clock.now = 0.0
    assert extractor.handle(message(page(3))) == "duplicate"
    told = RunCommand(dataset="usajobs_search", run_id=RUN, params={"Keyword": "nurse"})
    assert extractor.handle(message(told)) == "planned"
    assert clock.now == 0


def test_an_extractor_looks_at_the_queues_behind_it(backends: Mapping[str, str]) -> None:
    made: Extractor = bootstrap(load_settings()).__self__  # type: ignore[attr-defined]
    urls = {backends["SMELT_BRONZE_QUEUE_URL"]: LIMITS[BRONZE], backends["SMELT_SILVER_QUEUE_URL"]: LIMITS[SILVER]}
    assert made.pressure._limits == urls
    made.http.close()
