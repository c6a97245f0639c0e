"""Dead letters on real queues: looked at without being consumed, sent again without loss, discarded with a copy."""

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from services.ops.connections import Connections
from services.ops.dlq import actions, dead_letters, discard, lease, patch, replay
from services.ops.dlq.filters import DeadLetterFilter
from services.ops.dlq.lease import QueueLease
from services.ops.operator_log import ActionResult
from shared.config.topology import BRONZE, EXTRACT, QUEUES, SILVER
from shared.engine.message import dead_letter_url
from tests.conftest import Smelt, smelt_command
from tests.integration.letters import REASON, TRACE, body, bury, dead, numbers, seen, sent, visible_dead, waiting

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("short_polls")]


@pytest.fixture
def smelt(backends: Mapping[str, str]) -> Smelt:
    """The command line on these backends."""
    return smelt_command(Path(backends["SMELT_HOME"]))


def records(connections: Connections) -> list[dict[str, Any]]:
    with connections.database.connect() as connection:
        rows = connection.execute(text("select * from ops.operator_action order by id")).mappings()
        return [dict(row) for row in rows]


def send_again(connections: Connections, asked: DeadLetterFilter | None = None, **options: Any) -> ActionResult:
    steps = replay.plan(seen(connections, asked), replay.sources(connections), **options)
    return replay.replay(connections, steps, {})


class Interrupted:
    """An SQS client that fails at the n-th call of one kind, before or after it has been done."""

    def __init__(self, sqs: Any, call: str, after: int, error: BaseException, *, done: bool) -> None:
        self._sqs, self._call, self._left, self._error, self._done = sqs, call, after, error, done
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._sqs, name)
        if name != self._call:
            return real

        def call(**asked: Any) -> Any:
            with self._lock:
                self._left -= 1
                fails = not self._left
            answer = real(**asked) if not fails or self._done else None
            if fails:
                raise self._error
            return answer

        return call


def interrupted(connections: Connections, call: str, after: int, error: BaseException, *, done: bool) -> Connections:
    sqs = Interrupted(connections.sqs, call, after, error, done=done)
    return replace(connections, sqs=cast("Any", sqs))


def test_looking_sees_all_of_hundreds_once_and_leaves_them_visible(connections: Connections) -> None:
    buried = {bury(connections, body(n)) for n in range(257)}
    for _ in range(3):
        letters = dead_letters.look(connections)
        assert len(letters) == 257
        assert {letter.id for letter in letters} == buried
        assert visible_dead(connections) == 257


def test_a_letter_says_why_and_without_a_word_that_the_worker_died(connections: Connections) -> None:
    bury(connections, body(1), **REASON, traceparent=TRACE, replays="2")
    bury(connections, body(2), SILVER)
    told, mute = seen(connections)
    assert (told.error_type, told.error_message, told.attempts, told.replays) == (
        "PermanentError",
        "no such rule",
        "1",
        2,
    )
    assert told.trace_id == TRACE.split("-")[1]
    assert (mute.queue, mute.error_type, mute.error_message) == (SILVER.name, "worker died", "no reason recorded")
    assert abs((told.sent or 0) - time.time()) < 3_600


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ConnectionError()])
@pytest.mark.parametrize("done", [True, False])
def test_an_interrupted_look_gives_everything_back(connections: Connections, error: BaseException, done: bool) -> None:  # noqa: FBT001
    for number in range(35):
        bury(connections, body(number))
    # A batch that was received but never told to us comes back only when its visibility ends: nothing can be done.
    lost = 10 if done else 0
    with pytest.raises(type(error)):
        dead_letters.look(interrupted(connections, "receive_message", 4, error, done=done))
    assert visible_dead(connections) >= 35 - lost


def test_what_is_held_stays_hidden_for_as_long_as_it_is_held(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ops.dlq.lease.VISIBILITY_SECONDS", 3)
    for number in range(12):
        bury(connections, body(number))
    with QueueLease(connections.sqs, dead_letter_url(connections.settings.bronze_queue_url)) as hold:
        assert len(list(hold.receive(max_empty_polls=0))) == 12
        time.sleep(4.5)
        assert visible_dead(connections) == 0
        assert hold.unseen() == 0
    assert visible_dead(connections) == 12


class Lagging:
    """An SQS client as SQS may answer: its counts are old, and a short poll asks servers that have no message."""

    def __init__(self, sqs: Any) -> None:
        self._sqs, self._polls = sqs, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sqs, name)

    def get_queue_attributes(self, **asked: Any) -> Any:
        answer = self._sqs.get_queue_attributes(**asked)
        return answer | {"Attributes": dict.fromkeys(answer["Attributes"], "0")}

    def receive_message(self, **asked: Any) -> Any:
        self._polls += 1
        return {} if not asked["WaitTimeSeconds"] and self._polls % 2 else self._sqs.receive_message(**asked)


def test_a_look_sees_all_letters_although_counts_lag_and_short_polls_are_empty(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LONG_POLL_SECONDS", 1)
    for number in range(43):
        bury(connections, body(number))
    lagging = replace(connections, sqs=cast("Any", Lagging(connections.sqs)))
    assert len(dead_letters.survey(lagging).letters) == 43
    steps = replay.plan(seen(connections), replay.sources(connections))
    assert replay.replay(lagging, steps, {}).failed == {}


def test_a_replay_sends_long_bodies_whole_and_in_requests_that_sqs_takes(connections: Connections) -> None:
    bodies = [json.dumps({"number": number, "text": "x" * 400_000}) for number in range(5)]
    for long in bodies:
        bury(connections, long, **REASON)
    (first, *_) = found = seen(connections)
    assert (first.is_cut, first.body_chars, len(first.body)) == (True, len(bodies[0]), dead_letters.MAX_BODY_CHARS)
    mend = patch.read('[{"op": "remove", "path": "/text"}]')
    rejected = replay.plan(found, replay.sources(connections), mend)
    assert all("more than the 16,384 that can be patched" in str(step.rejected) for step in rejected)
    assert send_again(connections).done == 5
    assert sorted(message["body"] for message in waiting(connections)) == sorted(bodies)


def test_what_somebody_else_holds_is_said_to_be_unseen(connections: Connections) -> None:
    bury(connections, body(1))
    with QueueLease(connections.sqs, dead_letter_url(connections.settings.bronze_queue_url)) as hold:
        assert len(list(hold.receive(max_empty_polls=0))) == 1
        survey = dead_letters.survey(connections, QUEUES, most=10, patience=1)
        assert (survey.letters, survey.unseen) == ([], 1)
    assert len(seen(connections)) == 1


def test_a_replay_sends_the_very_bytes_with_trace_and_count_and_takes_the_letter_away(connections: Connections) -> None:
    bury(connections, body(1), **REASON, traceparent=TRACE, replays="1")
    tally = send_again(connections)
    assert (tally.done, tally.failed) == (1, {})
    assert waiting(connections) == [{"body": body(1), "traceparent": TRACE, "replays": "2"}]
    assert seen(connections) == []


def test_letters_go_where_they_came_from_or_where_they_are_sent(connections: Connections) -> None:
    bury(connections, body(1), SILVER, source_queue="smelt-bronze")
    bury(connections, body(2), SILVER)
    send_again(connections)
    assert numbers([message["body"] for message in waiting(connections, BRONZE)]) == {1: 1}
    assert numbers([message["body"] for message in waiting(connections, SILVER)]) == {2: 1}
    bury(connections, body(3), SILVER)
    send_again(connections, to=EXTRACT)
    assert numbers([message["body"] for message in waiting(connections, EXTRACT)]) == {3: 1}


def test_only_what_the_filter_means_is_sent(connections: Connections) -> None:
    for number in range(30):
        bury(connections, body(number), error_type=f"Error{number % 3}", error_message="no")
    assert send_again(connections, DeadLetterFilter(error="error1")).done == 10
    assert sorted(numbers([message["body"] for message in waiting(connections)])) == list(range(1, 30, 3))
    assert visible_dead(connections) == 20


def test_a_patch_is_sent_and_a_letter_that_it_does_not_fit_stays(connections: Connections) -> None:
    bury(connections, '{"title": "old"}')
    bury(connections, "no JSON")
    mend = patch.read('[{"op": "replace", "path": "/title", "value": "new"}]')
    tally = send_again(connections, patch=mend)
    assert (tally.done, list(tally.failed.values())) == (1, ["the body is not JSON and cannot be patched"])
    assert [message["body"] for message in waiting(connections)] == ['{"title":"new"}']
    assert [letter.body for letter in seen(connections)] == ["no JSON"]


def test_a_message_goes_round_three_times_and_then_stays(connections: Connections) -> None:
    bury(connections, body(1), replays="2")
    bury(connections, body(2), replays="3")
    tally = send_again(connections)
    assert (tally.done, len(tally.failed)) == (1, 1)
    assert [letter.replays for letter in seen(connections)] == [3]
    assert send_again(connections, force=True).done == 1
    assert [message["replays"] for message in waiting(connections)] == ["3", "4"]


@pytest.mark.parametrize("call", ["send_message_batch", "delete_message_batch"])
@pytest.mark.parametrize("done", [True, False])
def test_a_replay_that_breaks_off_loses_nothing_and_says_so(connections: Connections, call: str, done: bool) -> None:  # noqa: FBT001
    for number in range(25):
        bury(connections, body(number))
    steps = replay.plan(seen(connections), replay.sources(connections))
    with pytest.raises(KeyboardInterrupt):
        replay.replay(interrupted(connections, call, 2, KeyboardInterrupt(), done=done), steps, {"queue": "bronze"})
    assert visible_dead(connections) in {5, 15}
    there = numbers([*(m["body"] for m in waiting(connections)), *(letter.body for letter in seen(connections))])
    assert set(there) == set(range(25))
    assert there.total() <= 35
    (record,) = records(connections)
    assert (record["matched"], record["outcome"]) == (25, "interrupted")
    assert record["processed"] in {10, 20}
    assert record["finished_at"]
    assert record["filter"] == {"action": "replay", "queue": "bronze"}
    send_again(connections)
    assert set(numbers([message["body"] for message in waiting(connections)])) == set(range(25))
    assert seen(connections) == []


def test_a_replay_that_is_killed_loses_nothing(connections: Connections, backends: Mapping[str, str]) -> None:
    for number in range(30):
        bury(connections, body(number))
    command = [str(Path(sys.executable).parent / "smelt"), "dlq", "replay", "--yes", "--rate", "20/s"]
    process = subprocess.Popen(command, env={**os.environ, **backends}, stdout=subprocess.DEVNULL)
    while sent(connections) < 5:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (record,) = records(connections)
    assert (record["outcome"], record["finished_at"], record["matched"]) == ("under way", None, 30)
    there = numbers([message["body"] for message in waiting(connections)])
    assert 5 <= len(there) < 30
    # What the dead process held is hidden until its visibility ends; it is there, and at most one batch of them twice.
    assert 30 <= there.total() + dead(connections) <= 40


def test_an_error_of_the_broker_ends_a_replay_with_everything_in_place(connections: Connections) -> None:
    for number in range(15):
        bury(connections, body(number))
    steps = replay.plan(seen(connections), replay.sources(connections))
    with pytest.raises(ConnectionError):
        replay.replay(interrupted(connections, "send_message_batch", 2, ConnectionError(), done=False), steps, {})
    assert (len(waiting(connections)), visible_dead(connections)) == (10, 5)
    assert records(connections)[0]["outcome"] == "failed: ConnectionError"


def test_what_sqs_refuses_stays_and_the_others_go(connections: Connections) -> None:
    bury(connections, '{"text": "x"}')
    bury(connections, '{"text": "y", "long": true}')
    long = json.dumps("x" * (1 << 20))
    mend = patch.read(
        f'[{{"op": "test", "path": "/text", "value": "x"}}, {{"op": "add", "path": "/text", "value": {long}}}]'
    )
    found = seen(connections)
    steps = [
        *replay.plan([found[0]], replay.sources(connections), mend),
        *replay.plan([found[1]], replay.sources(connections)),
    ]
    tally = replay.replay(connections, steps, {})
    assert tally.done == 1
    assert "rejected by SQS" in tally.failed[found[0].id]
    assert [letter.id for letter in seen(connections)] == [found[0].id]


def test_without_the_record_nothing_is_sent(connections: Connections) -> None:
    bury(connections, body(1))
    steps = replay.plan(seen(connections), replay.sources(connections))
    with connections.database.begin() as connection:
        connection.execute(text("alter table ops.operator_action rename to away"))
    try:
        with pytest.raises(Exception, match=r"ops\.operator_action"):
            replay.replay(connections, steps, {})
    finally:
        with connections.database.begin() as connection:
            connection.execute(text("alter table ops.away rename to operator_action"))
    assert (visible_dead(connections), waiting(connections)) == (1, [])


def copies(connections: Connections) -> list[dict[str, Any]]:
    bucket, lines = connections.settings.bucket, []
    for stored in connections.s3.list_objects_v2(Bucket=bucket, Prefix="discarded/").get("Contents", []):
        content = connections.s3.get_object(Bucket=bucket, Key=stored["Key"])["Body"].read()
        lines += [json.loads(line) for line in gzip.decompress(content).splitlines()]
        connections.s3.delete_object(Bucket=bucket, Key=stored["Key"])
    return lines


def test_what_is_discarded_is_kept_in_the_bucket(connections: Connections) -> None:
    copies(connections)
    identity = bury(connections, body(1), **REASON, traceparent=TRACE)
    bury(connections, body(2), SILVER)
    tally = discard.discard(connections, seen(connections), "a test", {})
    assert (tally.done, tally.failed, seen(connections)) == (2, {}, [])
    kept, other = copies(connections)
    assert (kept["body"], kept["message_id"], kept["reason"]) == (body(1), identity, "a test")
    assert kept["attributes"]["traceparent"]["StringValue"] == TRACE
    assert other["queue"] == "smelt-silver-dlq"
    (record,) = records(connections)
    assert (record["kind"], record["matched"], record["processed"], record["outcome"]) == (
        "dead_letter",
        2,
        2,
        "discarded",
    )
    assert record["filter"] == {"action": "discard", "reason": "a test"}


def test_what_could_not_be_copied_is_not_deleted(connections: Connections) -> None:
    bury(connections, body(1))
    settings = connections.settings.model_copy(update={"bucket": "no-such-bucket"})
    with pytest.raises(Exception, match="NoSuchBucket"):
        discard.discard(replace(connections, settings=settings), seen(connections), "a test", {})
    assert visible_dead(connections) == 1


def test_a_discard_that_breaks_off_has_a_copy_of_all_that_is_gone(connections: Connections) -> None:
    copies(connections)
    for number in range(17):
        bury(connections, body(number))
    broken = interrupted(connections, "delete_message_batch", 2, KeyboardInterrupt(), done=False)
    with pytest.raises(KeyboardInterrupt):
        discard.discard(broken, seen(connections), "a test", {})
    assert visible_dead(connections) == 7
    assert records(connections)[0]["outcome"] == "interrupted"
    assert len(copies(connections)) == 17


def test_the_command_groups_by_reason_shows_one_and_sends_some(connections: Connections, smelt: Smelt) -> None:
    for number in range(30):
        message = ("no such thing", f"row {number}: too long", "the API is away")[number % 3]
        bury(connections, body(number), **(REASON | {"error_message": message}))
    listed = json.loads(smelt("dlq", "list", "--json").stdout)
    assert sorted((group["reason"], group["count"]) for group in listed["groups"]) == [
        ("no such thing", 10),
        ("row …: too long", 10),
        ("the API is away", 10),
    ]
    identity = listed["dead_letters"][0]["id"]
    shown = smelt("dlq", "show", identity[:10])
    assert identity in shown.stdout
    assert '"number": 0' in shown.stdout
    assert smelt("dlq", "show", "nothing").returncode == 1
    options = ("--error", "too long", "--limit", "4", "--patch", '[{"op":"add","path":"/mended","value":true}]')
    dry = smelt("dlq", "replay", *options, "--dry-run")
    assert dry.returncode == 0
    assert '"mended": true' in dry.stdout
    assert (visible_dead(connections), waiting(connections), records(connections)) == (30, [], [])
    assert smelt("dlq", "replay", *options).returncode == 2
    assert (visible_dead(connections), records(connections)) == (30, [])
    done = json.loads(smelt("dlq", "replay", *options, "--yes", "--json").stdout)
    assert (done["found"], done["sent"], done["stays"]) == (4, 4, {})
    assert sorted(numbers([message["body"] for message in waiting(connections)])) == [1, 4, 7, 10]
    (record,) = records(connections)
    assert (record["matched"], record["processed"], record["outcome"]) == (4, 4, "replayed")
    assert (record["filter"]["error"], record["filter"]["limit"]) == ("too long", 4)
    assert record["filter"]["patch"] == [{"op": "add", "path": "/mended", "value": True}]


def test_a_plan_does_nothing_until_it_is_worked_and_puts_what_was_asked_on_record(connections: Connections) -> None:
    for number in range(3):
        bury(connections, body(number), replays="3")
    given: Any = {"rate": "100/s", "patch": None, "to": "silver", "force": True}
    plan = actions.replay(connections, DeadLetterFilter(queue=BRONZE), 2, **given)
    assert (len(plan.letters), plan.total, plan.targets, plan.rejected) == (2, 2, {SILVER.name: 2}, {})
    kept = actions.replay(connections, DeadLetterFilter(queue=BRONZE), None, **given | {"force": False})
    assert (len(kept.letters), kept.total, kept.rejected.total()) == (3, 0, 3)
    assert (visible_dead(connections), records(connections)) == (3, [])
    told: list[int] = []
    assert plan.work(told.append).done == sum(told) == 2
    assert (visible_dead(connections), len(waiting(connections, SILVER))) == (1, 2)
    gone = actions.discard(connections, DeadLetterFilter(), 1, "a test").work(told.append)
    assert (gone.done, len(gone.copies)) == (1, 1)
    assert [record["filter"] for record in records(connections)] == [
        {"action": "replay", "queue": BRONZE.name, "limit": 2, "rate": 100, "to": SILVER.name, "force": True},
        {"action": "discard", "reason": "a test", "limit": 1},
    ]


def test_the_operator_has_a_name(
    connections: Connections, backends: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backends
    bury(connections, body(1))
    monkeypatch.setenv("SMELT_OPERATOR", "alice")
    send_again(connections)
    bury(connections, body(1))
    monkeypatch.delenv("SMELT_OPERATOR")
    send_again(connections)
    alice, somebody = records(connections)
    assert alice["operator"] == "alice"
    assert "@" in somebody["operator"]
