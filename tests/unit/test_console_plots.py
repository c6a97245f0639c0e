"""Lines of the last minutes: what is unknown is a gap, and never 0."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from services.ops.overview import collector
from services.ops.overview.plots import COLUMN, COLUMNS, HEIGHT, Plot, plot
from services.ops.probe import Measured, Unavailable
from services.ops.queues.monitor import QueueMonitor, TimedStatus
from services.ops.queues.rates import QueueStatus
from services.ops.queues.stats import MessageCounts, QueueSnapshot
from shared.config.topology import QUEUES

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = QUEUES[0].name


def moment(ago: timedelta, waiting: int | None) -> TimedStatus:
    """So many messages, `ago`."""
    others = None if waiting is None else 0
    return NOW - ago, QueueStatus(QUEUE, "loader", waiting, others, others, others, None, None, None, "unknown", None)


def drawn(depths: Sequence[int | None]) -> Plot:
    """One reading a column, the last of them now."""
    first = len(depths) - 1
    return plot([moment((first - n) * COLUMN, depth) for n, depth in enumerate(depths)], "total", NOW)


def look(at: float, messages: int | None) -> QueueSnapshot:
    counts = None if messages is None else MessageCounts(messages, 0, 0)
    work = {queue.name: counts for queue in QUEUES}
    return QueueSnapshot(at, work, work, [], () if counts else ("SQS: away",))


def test_an_unknown_reading_interrupts_the_line() -> None:
    assert [line.count(" ") + 1 for line in drawn([5, 5, None, 5, 5, 5]).lines] == [2, 3]


def test_nothing_known_draws_nothing_and_is_not_0() -> None:
    assert drawn([None, None]) == Plot((), None, None)


def test_the_highest_reading_is_at_the_top_and_0_at_the_bottom() -> None:
    assert drawn([0, 10]).lines == (f"{COLUMNS - 2},{HEIGHT:.1f} {COLUMNS - 1},0.0",)


def test_a_reading_that_stands_alone_is_seen() -> None:
    assert drawn([None, 3, None]).lines == (f"{COLUMNS - 2},0.0 {COLUMNS - 1.5},0.0",)


def test_what_is_older_than_the_plot_is_not_drawn() -> None:
    assert plot([moment(timedelta(hours=1), 5)], "total", NOW).lines == ()


def test_a_reading_of_long_ago_is_not_what_is_now() -> None:
    assert plot([moment(timedelta(minutes=5), 5)], "total", NOW).now is None


def test_a_queue_that_is_unknown_leaves_no_others_to_be_counted_and_says_why() -> None:
    known = look(0.0, 1)
    away = replace(known, dead={**known.dead, QUEUE: None}, problems=("Redis: away", "SQS: away"))
    beats = [Measured(QueueMonitor(partial(replace, seen), dict).sample(), NOW) for seen in (known, away)]
    assert isinstance(collector._queues(beats[0]), Measured)
    assert collector._queues(beats[1]) == Unavailable("SQS: away")


def test_looks_become_rates_and_history_and_an_unknown_look_stays_unknown() -> None:
    looks = iter([look(0.0, 10), look(10.0, 4), look(20.0, None)])
    pulse = QueueMonitor(lambda: next(looks), dict)
    first, second, third = (pulse.sample() for _ in range(3))
    assert first.statuses[0].rate_out is None
    assert second.statuses[0].rate_out == 0.6
    assert third.statuses[0].visible is None
    assert [flow.total for _, flow in pulse.history()[QUEUE]] == [10, 4, None]
