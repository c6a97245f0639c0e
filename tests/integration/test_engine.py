"""The delivery guarantees of the engine, on real queues, with prefork and with threads."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from infra.embedded.identity import birth_of
from services.ops.dlq.dead_letters import dead_letter
from shared.version import VERSION
from tests.integration.aws_server import AwsServer, serving

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

pytestmark = pytest.mark.integration

Pool = str


class Probe:
    """A worker with the probing handler, on a queue of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str], pool: Pool) -> None:
        self.sqs = boto3.client("sqs")
        self.name = f"probe-{uuid.uuid4().hex[:8]}"
        self.notes = folder / "notes"
        self.notes.touch()
        self.log = folder / "log"
        self.environment = {**os.environ, **environment, "SMELT_POOL": pool, "SMELT_RECEIVE_WAIT_SECONDS": "1"}
        self.processes: list[subprocess.Popen[bytes]] = []
        self.url = ""

    def make_queue(self, visibility: int = 90, max_receives: int = 3, *, redrive: bool = True) -> None:
        dead = self.sqs.create_queue(QueueName=f"{self.name}-dlq")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives})
        attributes: dict[QueueAttributeNameType, str] = {"VisibilityTimeout": str(visibility)}
        if redrive:
            attributes["RedrivePolicy"] = policy
        self.url = self.sqs.create_queue(QueueName=self.name, Attributes=attributes)["QueueUrl"]

    def start(self, visibility: int = 90, time_limit: int = 600, max_receives: int = 3, **settings: str) -> None:
        own = {"SMELT_BRONZE_QUEUE_URL": self.url, **settings}
        arguments = [str(self.notes), str(visibility), str(time_limit), str(max_receives)]
        with self.log.open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.integration.probe", *arguments],
                    env=self.environment | own,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def send(self, body: str, **attributes: str) -> str:
        values: dict[str, MessageAttributeValueTypeDef] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
        return self.sqs.send_message(QueueUrl=self.url, MessageBody=body, MessageAttributes=values)["MessageId"]

    def noted(self, what: str, message_id: str | None = None) -> list[list[str]]:
        """The notes of a kind: (what, id, receives, pid, traceparent, attempts)."""
        lines = [line.split("\t") for line in self.notes.read_text().splitlines()]
        return [line for line in lines if line[0] == what and message_id in {None, line[1]}]

    def counts(self) -> tuple[int, int]:
        """Messages visible and in flight."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    def receive_dead(self) -> list[Any]:
        """All dead letters as SQS gives them; visible again at once."""
        answer = self.sqs.receive_message(
            QueueUrl=f"{self.url}-dlq",
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def dead(self) -> list[dict[str, Any]]:
        """Bodies and attributes of all dead letters."""
        return [
            {"body": m["Body"], **{k: v["StringValue"] for k, v in m.get("MessageAttributes", {}).items()}}
            for m in self.receive_dead()
        ]

    def eventually(self, look: Callable[[], Any], seconds: float = 30) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < deadline, f"it never came\n{self.log.read_text()[-3000:]}"
            time.sleep(0.05)
        return found

    def set_database(self, *, away: bool) -> None:
        """What the probing handler, and the probe of its worker, take for the state of the database."""
        path = self.notes.with_name("away")
        path.touch() if away else path.unlink()

    def receives(self) -> int:
        """How often messages were received, by the log: each delivery ends with a line."""
        return self.log.read_text().count('"message.settled"')

    def kill(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture(params=["prefork", "threads"])
def probe(tmp_path: Path, backends: Mapping[str, str], request: pytest.FixtureRequest) -> Iterator[Probe]:
    probe = Probe(tmp_path, backends, request.param)
    yield probe
    probe.kill()


@pytest.fixture
def prefork(tmp_path: Path, backends: Mapping[str, str]) -> Iterator[Probe]:
    probe = Probe(tmp_path, backends, "prefork")
    yield probe
    probe.kill()


def test_a_handled_message_is_gone(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    message = probe.send("ok")
    probe.eventually(lambda: probe.noted("end", message))
    probe.eventually(lambda: probe.counts() == (0, 0))
    assert probe.dead() == []


@pytest.mark.parametrize("body", ["hang", ""])
def test_a_worker_whose_child_is_stopped_ends_and_the_next_one_does_its_work(prefork: Probe, body: str) -> None:
    prefork.make_queue(visibility=4)
    prefork.start(visibility=4, PROBE_SILENCE_LIMIT="2")
    first = prefork.send(body or "ok")
    prefork.eventually(lambda: prefork.noted("start" if body else "end", first))
    child = int(prefork.noted("start", first)[0][3])
    os.kill(child, signal.SIGSTOP)
    prefork.eventually(lambda: prefork.processes[0].poll() == 1)
    assert '"worker.child_silent"' in prefork.log.read_text()
    prefork.eventually(lambda: birth_of(child) is None)
    message = prefork.send("ok")
    prefork.start(visibility=4)
    prefork.eventually(lambda: prefork.noted("end", message) if not body else len(prefork.noted("start", first)) > 1)


def test_a_worker_says_its_version_when_it_starts(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    probe.eventually(lambda: "worker.started" in probe.log.read_text())
    (line,) = [line for line in probe.log.read_text().splitlines() if "worker.started" in line]
    said = json.loads(line)
    assert (said["service"], said["version"]) == ("transformer", VERSION)


def test_a_permanent_failure_is_buried_at_once_with_its_reason(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    trace = "0af7651916cd43dd8448eb211c80319c"
    probe.send("permanent no such thing \N{SNOWMAN}", traceparent=f"00-{trace}-b7ad6b7169203331-01", own="kept")
    letter = probe.eventually(probe.dead)[0]
    assert letter["body"] == "permanent no such thing \N{SNOWMAN}"
    assert letter["error_type"] == "PermanentError"
    assert letter["error_message"] == "no such thing \N{SNOWMAN}"
    assert (letter["service"], letter["source_queue"], letter["attempts"]) == ("transformer", probe.name, "1")
    assert (letter["trace_id"], letter["own"]) == (trace, "kept")
    assert abs(int(letter["first_received"]) / 1000 - time.time()) < 60
    probe.eventually(lambda: probe.counts() == (0, 0))


def test_a_transient_failure_is_tried_again_and_then_done(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    message = probe.send("transient-once the network")
    probe.eventually(lambda: probe.noted("end", message))
    assert [line[2] for line in probe.noted("start", message)] == ["1", "2"]
    probe.eventually(lambda: probe.counts() == (0, 0))


def test_a_message_that_never_works_is_buried_after_its_last_attempt(probe: Probe) -> None:
    probe.make_queue(max_receives=2)
    probe.start(max_receives=2)
    message = probe.send("bug out")
    letter = probe.eventually(probe.dead)[0]
    assert (letter["error_type"], letter["attempts"]) == ("KeyError", "2")
    assert [line[2] for line in probe.noted("start", message)] == ["1", "2"]


POISON = [
    "",
    "not JSON at all",
    "eyJhIjogMX0=",
    '{"task": "smelt.deliver", "id": "1", "args": [], "kwargs": {}}',
    '{"body": "W1tdLCB7fSwge31d", "content-type": "application/json", "headers": {"task": "os.system"}}',
    "[[], {}, {}]",
    '"\\ud800"',
    "{" * 5_000,
    "null",
    "x" * 250_000,
]


def test_poison_is_buried_unchanged_and_the_worker_lives(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    sent = [body for body in POISON if body]
    for body in sent:
        probe.send(body)
    buried: dict[str, str] = {}

    def all_buried() -> bool:
        buried.update({letter["body"]: letter["error_message"] for letter in probe.dead()})
        return len(buried) == len(sent)

    probe.eventually(all_buried, 60)
    assert set(buried) == set(sent)
    assert probe.eventually(lambda: probe.noted("end", probe.send("ok")) or probe.noted("end"))


def test_a_wait_that_was_asked_for_does_not_count_as_an_attempt(probe: Probe) -> None:
    probe.make_queue(max_receives=1)
    probe.start(max_receives=1)
    first = probe.send("wait 2", own="kept", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    probe.eventually(lambda: probe.noted("end"))
    (start, again), (end,) = probe.noted("start"), probe.noted("end")
    assert start[1] == first
    assert (again[4], again[5]) == (start[4], "1"), "the copy goes on in the trace, and it is still the first attempt"
    assert end[1] == again[1]
    assert probe.dead() == []
    probe.eventually(lambda: probe.counts() == (0, 0))


def test_an_outage_costs_no_attempt_and_no_receive(probe: Probe) -> None:
    probe.make_queue(max_receives=2)
    probe.set_database(away=True)
    probe.start(max_receives=2)
    for _ in range(5):
        probe.send("need-database")
    probe.eventually(lambda: "still refused" in probe.log.read_text() or probe.notes.with_name("probed").exists())
    received = probe.receives()
    probes = probe.notes.with_name("probed")
    asked = len(probes.read_text())
    probe.eventually(lambda: len(probes.read_text()) >= asked + 2)
    assert probe.receives() == received <= 2, "while it is away, nothing is received"
    assert sum(probe.counts()) >= 4
    probe.set_database(away=False)
    probe.eventually(lambda: len(probe.noted("end")) == 5, 60)
    assert probe.dead() == []
    assert {line[5] for line in probe.noted("start")} == {"1"}
    changes = [json.loads(line)["state"] for line in probe.log.read_text().splitlines() if "breaker.changed" in line]
    assert changes == ["open", "half-open", "closed"]


def test_work_that_met_the_outage_goes_on_after_the_worker_was_killed(prefork: Probe) -> None:
    prefork.make_queue(max_receives=2)
    prefork.set_database(away=True)
    prefork.start(max_receives=2)
    prefork.send("need-database")
    prefork.eventually(lambda: "breaker.changed" in prefork.log.read_text())
    prefork.kill()
    prefork.set_database(away=False)
    prefork.start(max_receives=2)
    prefork.eventually(lambda: prefork.noted("end"))
    assert prefork.dead() == []


def event_of(*keys: str) -> str:
    """An event with a record for each key."""
    records = [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": k}}} for k in keys]
    return json.dumps({"Records": records})


def settle_with_new_credentials(probe: Probe, server: AwsServer, expected: int) -> None:
    before = server.issued
    probe.send("ok")
    probe.eventually(lambda: len(probe.noted("end")) == expected)
    probe.eventually(lambda: server.issued > before)  # to delete the message, at the latest


def test_a_worker_renews_role_credentials_that_expire(probe: Probe) -> None:
    probe.make_queue()
    keys = probe.environment.pop("AWS_ACCESS_KEY_ID"), probe.environment.pop("AWS_SECRET_ACCESS_KEY")
    with serving() as server:
        server.keys = keys  # the emulator takes no others: they expire all the same
        probe.start(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/credentials")
        for expected in (1, 2, 3):
            settle_with_new_credentials(probe, server, expected)


def test_a_bad_record_costs_only_itself(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    probe.send(event_of("permanent+gone", "ok+1", "permanent+gone+too", "ok+2"), own="kept")
    letters: dict[str, dict[str, Any]] = {}

    def both() -> bool:
        letters.update({letter["error_message"]: letter for letter in probe.dead()})
        return len(letters) == 2

    probe.eventually(both)
    assert len(probe.noted("end")) == 2
    assert [json.loads(letters[told]["body"]) for told in ("gone", "gone too")] == [
        json.loads(event_of("permanent+gone")), json.loads(event_of("permanent+gone+too")),
    ]  # fmt: skip
    assert {letter["own"] for letter in letters.values()} == {"kept"}
    probe.eventually(lambda: probe.counts() == (0, 0))


def test_a_record_that_fails_for_now_is_tried_again_alone(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    probe.send(event_of("ok+1", "transient-once+later"))
    probe.eventually(lambda: len(probe.noted("end")) == 2)
    assert [line[5] for line in probe.noted("start")] == ["1", "1", "2"]
    assert probe.dead() == []
    probe.eventually(lambda: probe.counts() == (0, 0))


def test_a_handler_that_never_returns_leaves_its_reason(prefork: Probe) -> None:
    prefork.make_queue(max_receives=1)
    prefork.start(time_limit=2, max_receives=1)
    prefork.send("stuck")
    letter = prefork.eventually(prefork.dead, 40)[0]
    assert (letter["error_type"], letter["error_message"]) == (
        "OverdueError", "still running after 2 s, and could not be interrupted",
    )  # fmt: skip
    message = prefork.send("ok")
    prefork.eventually(lambda: prefork.noted("end", message))


def test_attributes_that_are_no_texts_come_through_as_they_were(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    given: dict[str, MessageAttributeValueTypeDef] = {
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        "count": {"DataType": "Number", "StringValue": "7"},
    }
    probe.sqs.send_message(QueueUrl=probe.url, MessageBody="permanent no", MessageAttributes=given)
    (letter,) = probe.eventually(probe.receive_dead)
    assert {name: letter["MessageAttributes"][name] for name in given} == given


def test_a_task_longer_than_its_visibility_runs_once(probe: Probe) -> None:
    probe.make_queue(visibility=3)
    probe.start(visibility=3)
    probe.start(visibility=3)
    message = probe.send("sleep 8")
    probe.eventually(lambda: probe.noted("end", message))
    probe.eventually(lambda: probe.counts() == (0, 0))
    assert len(probe.noted("start", message)) == 1


def test_a_killed_child_costs_one_attempt_and_is_replaced(prefork: Probe) -> None:
    prefork.make_queue()
    prefork.start()
    message = prefork.send("die-once")
    prefork.eventually(lambda: prefork.noted("end", message))
    assert [line[2] for line in prefork.noted("start", message)] == ["1", "2"]
    first, second = prefork.noted("start", message)
    assert first[3] != second[3], "the child that died cannot have done it"


def test_what_kills_every_child_ends_in_the_dead_letter_queue_without_a_word(prefork: Probe) -> None:
    prefork.make_queue()
    prefork.start()
    message = prefork.send("die")
    letter = prefork.eventually(prefork.dead, 60)[0]
    assert letter == {"body": "die"}, "no reason can be recorded"
    assert len(prefork.noted("start", message)) == 3


def test_an_old_reason_does_not_pass_for_that_of_a_death_without_a_word(prefork: Probe) -> None:
    prefork.make_queue()
    prefork.start()
    prefork.send("permanent no such thing")
    first = prefork.eventually(prefork.dead)[0]
    long_ago = str(int(first["dead_since"]) - 600_000)
    prefork.sqs.purge_queue(QueueUrl=f"{prefork.url}-dlq")
    reason = {name: value for name, value in first.items() if name != "body"} | {"dead_since": long_ago}
    prefork.send("die", **reason)  # as AWS's console redrives it
    raw: Any = prefork.eventually(prefork.receive_dead, 60)[0]
    letter = dead_letter("smelt-bronze", raw)
    assert (letter.error_type, letter.error_message) == (
        "worker died", "died again without a reason; the first was PermanentError: no such thing",
    )  # fmt: skip


def test_a_killed_worker_gives_its_message_back_when_visibility_ends(prefork: Probe) -> None:
    prefork.make_queue(visibility=3)
    prefork.start(visibility=3)
    message = prefork.send("sleep 60")
    prefork.eventually(lambda: prefork.noted("start", message))
    prefork.kill()
    prefork.start(visibility=3)
    prefork.eventually(lambda: len(prefork.noted("start", message)) == 2)


def test_a_task_over_its_time_limit_is_stopped_and_says_so(prefork: Probe) -> None:
    prefork.make_queue(max_receives=1)
    prefork.start(time_limit=2, max_receives=1)
    prefork.send("hang")
    letter = prefork.eventually(prefork.dead)[0]
    assert letter["error_type"] == "SoftTimeLimitExceeded"
    message = prefork.send("ok")
    prefork.eventually(lambda: prefork.noted("end", message))


def test_told_to_stop_it_finishes_what_is_nearly_done(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    message = probe.send("sleep 4")
    waiting = probe.send("ok")
    probe.eventually(lambda: probe.noted("start", message))
    probe.processes[0].send_signal(signal.SIGTERM)
    assert probe.processes[0].wait(30) == 0
    assert len(probe.noted("end", message)) == 1
    assert probe.noted("start", waiting) == []
    assert probe.counts() == (1, 0)


def test_told_to_stop_it_gives_back_what_takes_longer(prefork: Probe) -> None:
    prefork.make_queue()
    prefork.start(SMELT_STOP_TIMEOUT_SECONDS="2")
    message = prefork.send("sleep 60")
    prefork.eventually(lambda: prefork.noted("start", message))
    prefork.processes[0].send_signal(signal.SIGTERM)
    prefork.processes[0].wait(30)
    prefork.eventually(lambda: prefork.counts() == (1, 0))
    assert prefork.noted("end", message) == []
    prefork.start(SMELT_STOP_TIMEOUT_SECONDS="2")
    prefork.eventually(lambda: len(prefork.noted("start")) == 2)
    assert [line[5] for line in prefork.noted("start")] == ["1", "1"], "a stop is no attempt"


def test_threads_and_processes_work_side_by_side(probe: Probe) -> None:
    probe.make_queue()
    probe.start(SMELT_CONCURRENCY="3")
    messages = [probe.send("sleep 3") for _ in range(3)]
    probe.eventually(lambda: len(probe.noted("start")) == 3)
    assert probe.noted("end") == [], "all three started before the first had ended"
    probe.eventually(lambda: {line[1] for line in probe.noted("end")} == set(messages))


def test_a_child_is_replaced_after_its_share_of_messages(prefork: Probe) -> None:
    prefork.make_queue()
    prefork.start(SMELT_MAX_TASKS_PER_CHILD="2")
    messages = [prefork.send("ok") for _ in range(6)]
    prefork.eventually(lambda: len(prefork.noted("end")) == len(messages))
    assert len({line[3] for line in prefork.noted("end")}) == 3


def test_the_consumer_continues_the_trace_of_the_producer(probe: Probe) -> None:
    probe.make_queue()
    probe.start()
    message = probe.send("ok", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    probe.eventually(lambda: probe.noted("end", message))
    probe.eventually(lambda: '"trace_id":"0af7651916cd43dd8448eb211c80319c"' in probe.log.read_text())


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        ({"redrive": False}, "has no redrive policy to its dead-letter queue"),
        ({"visibility": 10}, "has a visibility of 10 s; a time limit of 600 s and a heartbeat every 30 s need 90 s"),
        ({"max_receives": 1}, "redrives after 1 receives; the retry policy needs 3"),
        (None, "the queue does not exist, or its attributes may not be read"),
    ],
    ids=["no redrive policy", "visibility too short", "too few receives", "no queue"],
)
def test_a_worker_refuses_a_queue_that_does_not_fit(prefork: Probe, queue: dict[str, Any] | None, says: str) -> None:
    if queue is None:
        prefork.url = os.environ["SMELT_BRONZE_QUEUE_URL"] + "-of-nobody"
    else:
        prefork.make_queue(**queue)
    prefork.start()
    assert prefork.processes[0].wait(30) == 1
    output = prefork.log.read_text()
    assert output.startswith("smelt: ")
    assert says in output
    assert output.count("\n") == 1


def test_a_worker_touches_its_liveness_file_while_it_polls(probe: Probe, tmp_path: Path) -> None:
    probe.make_queue()
    alive = tmp_path / "alive"
    probe.start(SMELT_LIVENESS_FILE=str(alive))
    probe.eventually(alive.exists)
    alive.unlink()
    probe.eventually(alive.exists)
