"""Rates and the time until a queue is empty, from two looks."""

from dataclasses import replace

import pytest

from services.ops.cli import formatting
from services.ops.queues import cli_output
from services.ops.queues.rates import QueueStatus, queue_statuses
from services.ops.queues.stats import MessageCounts, QueueSnapshot
from shared.config.topology import QUEUES, SILVER
from shared.engine.worker_status import ObservedStatus, WorkerStatus

NOTHING = MessageCounts(0, 0, 0)


def worker(settled: int, pid: int = 1, up: float = 100.0, service: str = "loader") -> ObservedStatus:
    note = WorkerStatus(
        service, "host", pid, since=50.0 + pid, at=50.0 + pid + up, working=(), settled=settled, last_settled=None
    )
    return ObservedStatus(note, ago=0.0)


def look(at: float, silver: MessageCounts | None, *workers: ObservedStatus) -> QueueSnapshot:
    counts: dict[str, MessageCounts | None] = dict.fromkeys((queue.name for queue in QUEUES), NOTHING)
    return QueueSnapshot(
        at, {**counts, SILVER.name: silver}, {**counts, SILVER.name: MessageCounts(3, 1, 0)}, [*workers]
    )


def flow(earlier: QueueSnapshot | None, later: QueueSnapshot) -> QueueStatus:
    return queue_statuses(earlier, later, {})[-1]


def test_what_workers_settled_went_out_and_what_the_queue_did_not_lose_came_in() -> None:
    found = flow(look(0, MessageCounts(100, 2, 0), worker(10)), look(2, MessageCounts(90, 2, 0), worker(40)))
    assert (found.rate_out, found.rate_in) == (15.0, 10.0)
    assert (found.trend, found.empty_in) == ("shrinking", 92 / 5)


def test_messages_that_only_go_from_waiting_to_in_flight_are_still_there() -> None:
    found = flow(look(0, MessageCounts(10, 0, 0), worker(0)), look(1, MessageCounts(4, 6, 0), worker(0)))
    assert (found.rate_in, found.rate_out, found.trend, found.empty_in) == (0.0, 0.0, "steady", None)


def test_a_growing_queue_has_no_end() -> None:
    found = flow(look(0, MessageCounts(10, 0, 0), worker(0)), look(2, MessageCounts(20, 0, 0), worker(4)))
    assert (found.rate_in, found.rate_out, found.trend, found.empty_in) == (7.0, 2.0, "growing", None)


def test_what_left_without_a_worker_s_word_went_out_all_the_same() -> None:
    found = flow(look(0, MessageCounts(10, 0, 0)), look(1, MessageCounts(4, 0, 0)))
    assert (found.rate_in, found.rate_out) == (0.0, 6.0)


def test_several_processes_and_a_new_one_add_up() -> None:
    earlier = look(0, MessageCounts(10, 0, 0), worker(5), worker(7, pid=2), worker(99, service="extractor"))
    later = look(10, MessageCounts(10, 0, 0), worker(10), worker(8, pid=2), worker(4, pid=3, up=6.0))
    assert flow(earlier, later).rate_out == 1.0


def test_a_process_heard_of_again_after_its_note_was_lost_makes_the_rate_unknown() -> None:
    earlier, later = look(0, MessageCounts(10, 0, 0)), look(10, MessageCounts(10, 0, 0), worker(5_000, up=3_600.0))
    assert (flow(earlier, later).rate_out, flow(earlier, later).rate_in) == (None, None)


@pytest.mark.parametrize("earlier", [None, look(0, None, worker(0)), look(1, MessageCounts(4, 0, 0))])
def test_without_a_look_before_rates_are_unknown(earlier: QueueSnapshot | None) -> None:
    found = flow(earlier, look(1, MessageCounts(4, 0, 0), worker(0)))
    assert (found.rate_in, found.rate_out, found.trend, found.empty_in) == (None, None, "unknown", None)
    assert found.visible == 4


def test_what_could_not_be_measured_is_unknown_and_not_nothing() -> None:
    unmeasured = replace(look(1, None), dead=dict.fromkeys(queue.name for queue in QUEUES), workers=None)
    found = flow(look(0, MessageCounts(4, 0, 0)), unmeasured)
    assert (found.visible, found.in_flight, found.delayed, found.dead, found.oldest) == (None,) * 5
    assert (found.rate_in, found.rate_out, found.trend) == (None, None, "unknown")
    assert "unknown" in formatting.count(found.visible)
    assert "unknown" in cli_output.waited(found)
    assert "unknown" in cli_output.empty_in(found)
    assert "unknown" in formatting.alarming(found.dead)


def test_without_workers_notes_the_trend_is_known_and_the_rates_are_not() -> None:
    found = flow(look(0, MessageCounts(9, 0, 0)), replace(look(1, MessageCounts(6, 0, 0)), workers=None))
    assert (found.rate_in, found.rate_out, found.trend, found.empty_in) == (None, None, "shrinking", 2.0)


def test_the_oldest_message_of_an_empty_queue_waits_no_time_and_of_another_as_cloudwatch_says() -> None:
    full = look(0, MessageCounts(1, 0, 0))
    assert queue_statuses(None, full, {SILVER.name: 42.0})[-1].oldest == 42.0
    assert queue_statuses(None, full, {})[-1].oldest is None
    assert queue_statuses(None, look(0, NOTHING), {})[-1].oldest == 0.0


def test_dead_letters_count_whoever_holds_them() -> None:
    assert flow(None, look(0, NOTHING)).dead == 4


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (7_800, "2 h 10 min"), (273_600, "3 d 4 h")],
)
def test_durations_in_words(seconds: float, said: str) -> None:
    assert formatting.duration(seconds) == said


def test_a_worker_s_times_are_told_by_its_own_clock() -> None:
    ahead = ObservedStatus(replace(worker(0).note, since=9_000.0, at=9_100.0), ago=2.0)
    assert ahead.seconds_since(ahead.note.since) == 102.0
