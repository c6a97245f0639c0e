"""Queues, rates and workers as measured on the real thing; what cannot be measured is unknown."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
import redis

from services.ops.connections import Connections
from services.ops.health import measurements
from services.ops.queues import stats
from services.ops.queues.monitor import Sample
from services.ops.queues.rates import queue_statuses
from shared.config.topology import BRONZE, QUEUES, SILVER
from shared.engine.message import Message
from shared.engine.pending_retries import PendingRetry
from shared.engine.worker_status import KEY, STATUS_TTL_SECONDS, ObservedStatus, WorkerRegistry, WorkerReporter
from tests.conftest import Smelt, smelt_command
from tests.integration.letters import body, bury
from tests.integration.test_telemetry_gauges import scraped, value
from tests.support.eventually import eventually

pytestmark = pytest.mark.integration

NOBODY = "redis://127.0.0.1:1"  # a port where nobody listens
MESSAGE = Message("{}", "id-1", "receipt", "url", receives=1, sent=0, first_received=0, attributes={})


@pytest.fixture
def smelt(backends: Mapping[str, str]) -> Smelt:
    """The command line on these backends."""
    return smelt_command(Path(backends["SMELT_HOME"]))


class Worker:
    """A worker with the probing handler, on the bronze queue."""

    def __init__(self, folder: Path, pool: str) -> None:
        self.log = (folder / "log").open("wb")
        (folder / "notes").touch()
        limits = [str(BRONZE.visibility), str(BRONZE.time_limit), str(BRONZE.max_receives)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.probe", str(folder / "notes"), *limits],
            env={**os.environ, "SMELT_POOL": pool, "SMELT_RECEIVE_WAIT_SECONDS": "1"},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def stop(self) -> None:
        """In order, so that no poll of it is left at the broker, to which the next message would go."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        self.log.close()

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(params=["prefork", "threads"])
def worker(tmp_path: Path, connections: Connections, request: pytest.FixtureRequest) -> Iterator[Worker]:
    assert connections
    made = Worker(tmp_path, request.param)
    yield made
    made.stop()


def send(connections: Connections, text: str) -> None:
    connections.sqs.send_message(QueueUrl=connections.settings.bronze_queue_url, MessageBody=text)


def only(connections: Connections) -> ObservedStatus | None:
    found = connections.roster.current()
    return found[0] if len(found) == 1 else None


def test_a_look_counts_what_waits_and_what_is_dead(connections: Connections) -> None:
    for number in range(3):
        send(connections, body(number))
    bury(connections, body(9), SILVER)
    look = stats.take_snapshot(connections)
    assert {name: counts and counts.total for name, counts in look.work.items()} == {
        "smelt-extract": 0,
        "smelt-bronze": 3,
        "smelt-uploads": 0,
        "smelt-silver": 0,
    }
    assert look.dead[SILVER.name] == stats.MessageCounts(1, 0, 0)
    assert (look.workers, look.problems) == ([], ())


def test_a_queue_that_cannot_be_measured_is_unknown_and_the_others_are_not(connections: Connections) -> None:
    send(connections, body(1))
    settings = connections.settings.model_copy(update={"silver_queue_url": f"{connections.settings.silver_queue_url}x"})
    look = stats.take_snapshot(replace(connections, settings=settings, roster=WorkerRegistry(NOBODY)))
    assert (look.work[SILVER.name], look.dead[SILVER.name], look.workers) == (None, None, None)
    assert look.work[BRONZE.name] == stats.MessageCounts(1, 0, 0)
    assert len([problem for problem in look.problems if problem.startswith("SQS")]) >= 1
    assert len([problem for problem in look.problems if problem.startswith("Redis")]) == 1
    unknown = queue_statuses(look, look, {})[-1]
    assert (unknown.visible, unknown.dead, unknown.trend) == (None, None, "unknown")


def test_without_cloudwatch_s_word_the_age_of_the_oldest_message_is_unknown(connections: Connections) -> None:
    send(connections, body(1))
    ages = stats.oldest_ages(boto3.client("cloudwatch"), connections)
    assert ages == {}
    found = {flow.queue: flow.oldest for flow in queue_statuses(None, stats.take_snapshot(connections), ages)}
    assert found == {"smelt-extract": 0.0, "smelt-bronze": None, "smelt-uploads": 0.0, "smelt-silver": 0.0}


def test_the_age_is_the_newest_that_cloudwatch_has(connections: Connections) -> None:
    cloudwatch = boto3.client("cloudwatch")
    now = time.time()
    cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": stats.AGE_METRIC,
                "Dimensions": [{"Name": "QueueName", "Value": "smelt-silver"}],
                "Timestamp": datetime.fromtimestamp(now - ago, UTC),
                "Value": value,
            }
            for ago, value in ((240, 500.0), (120, 620.0))
        ],
    )
    assert stats.oldest_ages(cloudwatch, connections) == {"smelt-silver": 620.0}


def test_a_worker_says_that_it_lives_what_it_does_and_when_it_leaves(connections: Connections, worker: Worker) -> None:
    idle = eventually(lambda: only(connections))
    assert (idle.note.service, idle.note.working, idle.note.settled) == ("transformer", (), 0)
    send(connections, "sleep 3")
    busy = eventually(lambda: seen if (seen := only(connections)) and seen.note.working else None)
    (work,) = busy.note.working
    assert (work.body, work.receives) == ("sleep 3", 1)
    assert busy.note.since <= work.since <= busy.note.at
    done = eventually(lambda: seen if (seen := only(connections)) and seen.note.settled else None)
    assert (done.note.working, done.note.settled) == ((), 1)
    assert (done.note.last_settled or 0) >= work.since
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(30)
    assert connections.roster.current() == []


def test_what_a_worker_waits_for_is_told_while_it_is_away(
    connections: Connections, worker: Worker, tmp_path: Path, smelt: Smelt
) -> None:
    eventually(lambda: only(connections))
    away = tmp_path / "away"  # of the database, for the probing handler
    away.touch()
    send(connections, "need-database")
    waiting = eventually(lambda: seen if (seen := only(connections)) and seen.note.outage else None)
    assert waiting.note.outage
    assert waiting.note.outage.part == "database"
    first = stats.take_snapshot(connections)
    beat = Sample(datetime.now(UTC), first, first, tuple(queue_statuses(first, first, {})))
    (reading,) = (one for one in measurements.of_queues(beat) if (one.rule, one.subject) == ("outage", BRONZE.name))
    assert (reading.value or 0) > 0
    assert "refused" in reading.note
    assert "database unavailable for" in smelt("workers").stdout
    assert value(scraped(connections), "smelt_workers_waiting", service="transformer", part="database") == 1
    away.unlink()
    eventually(lambda: (seen := only(connections)) and not seen.note.outage and seen.note.settled)
    assert worker.process.poll() is None


def test_what_is_tried_again_is_not_settled_and_what_is_buried_is(connections: Connections, worker: Worker) -> None:
    assert worker
    eventually(lambda: only(connections))
    send(connections, "transient no luck")
    again = eventually(lambda: any(trouble.attempt == 1 for trouble in connections.pending_retries.current()))
    assert again
    send(connections, "permanent no hope")
    buried = eventually(lambda: seen if (seen := only(connections)) and seen.note.settled else None)
    assert buried.note.settled == 1


def test_a_worker_that_dies_without_a_word_is_forgotten_by_itself(
    connections: Connections, worker: Worker, backends: Mapping[str, str]
) -> None:
    eventually(lambda: only(connections))
    worker.kill()
    store = redis.Redis.from_url(backends["SMELT_REDIS_URL"])
    (key,) = store.keys(f"{KEY}*")
    assert 0 < store.pttl(key) <= STATUS_TTL_SECONDS * 1_000


@pytest.mark.parametrize("worker", ["prefork"], indirect=True)
def test_a_note_that_redis_lost_is_written_again(
    connections: Connections, worker: Worker, backends: Mapping[str, str]
) -> None:
    assert worker
    eventually(lambda: only(connections))
    redis.Redis.from_url(backends["SMELT_REDIS_URL"]).flushall()
    eventually(lambda: only(connections))


def test_without_redis_the_work_goes_on(
    connections: Connections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMELT_REDIS_URL", NOBODY)
    worker = Worker(tmp_path, "prefork")
    try:
        send(connections, "ok")
        eventually(lambda: "\nend" in (tmp_path / "notes").read_text())
    finally:
        worker.stop()


def test_telling_of_work_touches_no_redis(connections: Connections) -> None:
    assert connections
    reporter = WorkerReporter(NOBODY, "loader")  # not started: nobody would write
    reporter.message_started(MESSAGE)
    assert [work.message_id for work in reporter._note().working] == ["id-1"]
    reporter.message_finished(MESSAGE, settled=True)
    assert (reporter._note().working, reporter._note().settled) == ((), 1)


def test_notes_of_another_version_do_not_hide_the_others(connections: Connections, backends: Mapping[str, str]) -> None:
    store = redis.Redis.from_url(backends["SMELT_REDIS_URL"])
    store.set(f"{KEY}loader:older:1", '{"service": "loader"}', ex=60)
    reporter = WorkerReporter(backends["SMELT_REDIS_URL"], "extractor")
    newer = {**json.loads(json.dumps(reporter._note().__dict__)), "invented_later": True}
    store.set(f"{KEY}extractor:newer:1", json.dumps(newer), ex=60)
    assert [seen.note.service for seen in connections.roster.current()] == ["extractor"]


@pytest.mark.parametrize("worker", ["prefork"], indirect=True)
def test_the_commands_say_what_is_there_and_exit_accordingly(
    connections: Connections, smelt: Smelt, worker: Worker
) -> None:
    assert worker
    eventually(lambda: only(connections))
    bury(connections, body(1))
    shown = smelt("queues", "--json")
    queues = {queue["queue"]: queue for queue in json.loads(shown.stdout)["queues"]}
    assert (shown.returncode, list(queues)) == (0, [queue.name for queue in QUEUES])
    assert (queues["smelt-bronze"]["dead"], queues["smelt-bronze"]["trend"]) == (1, "empty")
    told = smelt("workers")
    assert told.returncode == 1  # three services have none
    assert told.stdout.count("no worker is running") == len(QUEUES) - 1
    (seen,) = json.loads(smelt("workers", "--json").stdout)["workers"]
    assert (seen["service"], seen["working"]) == ("transformer", [])
    picture = smelt("top", "--once")
    assert picture.returncode == 0
    assert "smelt-silver" in picture.stdout
    assert "transformer" in picture.stdout


def test_why_messages_wait_for_another_attempt_is_shown(connections: Connections, smelt: Smelt) -> None:
    again = PendingRetry("id-1", body(1), "loader", "OperationalError: no answer from 10.0.0.7", 3, 8, time.time() + 90)
    for number in range(3):
        connections.pending_retries.put(replace(again, message_id=f"id-{number}", attempt=number + 1), 90)
    (told,) = json.loads(smelt("top", "--json").stdout)["waits"]
    assert (told["queue"], told["messages"], told["attempt"], told["attempts"]) == ("smelt-silver", 3, 3, 8)
    picture = smelt("top", "--once").stdout
    assert "3 of 8" in picture
    assert "OperationalError no answer from 10.0.0.7" in picture


def test_what_needs_a_terminal_says_so(smelt: Smelt) -> None:
    assert (smelt("top").returncode, smelt("queues", "--watch").returncode) == (2, 2)
