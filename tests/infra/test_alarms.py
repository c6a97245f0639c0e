"""Alarms over metrics that arrive late or not at all: they fire, they end, and they do neither without a reason."""

import random
import re
from collections.abc import Callable, Mapping

import pytest

from shared.config.topology import QUEUES, Queue
from tests.infra.cloudwatch import Alarm, Metric
from tests.infra.conftest import Deployment

pytestmark = pytest.mark.integration

MINUTES = 150
BEGIN, END = 40, 100  # minutes in which something is wrong
LATE = 2  # minutes after its own that a point arrives; SQS's come after one or two
SEEDS = range(3)
SLACK = LATE + 3  # minutes that an alarm may be later than its own
SERVICES = tuple(queue.service for queue in QUEUES)

World = Mapping[str, Metric]  # {name of a metric: its points}


def alarm(deployment: Deployment, name: str) -> Alarm:
    """By the name that it has in CloudWatch."""
    (values,) = (one for _, one in deployment.all("aws_cloudwatch_metric_alarm") if one["alarm_name"] == name)
    return Alarm(values)


def history(of: Alarm, world: World, seed: int, lost: float = 0.0) -> list[str]:
    """The state at each minute, where points arrive up to LATE minutes after their own and some never do."""
    chance = random.Random(seed)
    arrivals = {
        id_: {minute: minute + 1 + chance.randint(0, LATE) for minute in world.get(name, {}) if chance.random() >= lost}
        for id_, name in of.names.items()
    }
    states, known = ["OK"], {id_: dict[int, float]() for id_ in arrivals}
    for now in range(1, MINUTES):
        for id_, points in arrivals.items():
            for minute in range(max(0, now - LATE - 1), now):
                if points.get(minute, MINUTES) <= now:
                    known[id_][minute] = world[of.names[id_]][minute]
        states.append(of.state(known, now, states[-1]))
    return states


def during(inside: float, outside: float = 0) -> Metric:
    """One value while something is wrong, and another before and after."""
    return {minute: inside if BEGIN <= minute < END else outside for minute in range(MINUTES)}


def always(value: float) -> Metric:
    return dict.fromkeys(range(MINUTES), value)


def every(minutes: int, value: float = 1) -> Metric:
    """A value each so many minutes, and 0 between."""
    return {minute: value if minute % minutes == 0 else 0 for minute in range(MINUTES)}


VISIBLE, IN_FLIGHT = "ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"
AGE, DELETED, RUNNING = "ApproximateAgeOfOldestMessage", "NumberOfMessagesDeleted", "RunningTaskCount"

# {alarm: what is measured while it must be on}, for each queue and its service.
FAULTS: dict[str, Callable[[str, str], tuple[str, World]]] = {
    "dead-letters": lambda queue, _: (f"{queue}-dead-letters", {VISIBLE: during(1)}),
    "oldest": lambda queue, _: (f"{queue}-oldest", {AGE: during(7200)}),
    "no-progress": lambda queue, _: (f"{queue}-no-progress", {VISIBLE: during(9), DELETED: during(0, 5)}),
    "backlog": lambda _, service: (
        f"smelt-scaling-{service}-backlog",
        {VISIBLE: during(900), RUNNING: always(1)},
    ),
    "first-task": lambda _, service: (
        f"smelt-scaling-{service}-backlog",
        {VISIBLE: during(1), RUNNING: always(0)},
    ),
    "age": lambda _, service: (f"smelt-scaling-{service}-age", {VISIBLE: during(3), AGE: during(3600)}),
    "scale-in": lambda _, service: (
        f"smelt-scaling-{service}-load",
        {VISIBLE: always(0), IN_FLIGHT: during(0, 4), RUNNING: always(4)},
    ),
}


@pytest.mark.parametrize("lost", [0.0, 0.05], ids=["late", "late and some lost"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.service)
def test_an_alarm_is_on_for_as_long_as_something_is_wrong(
    deployment: Deployment, queue: Queue, fault: str, lost: float
) -> None:
    name, world = FAULTS[fault](queue.name, queue.service)
    of = alarm(deployment, name)
    patience = int(of.values["evaluation_periods"]) + SLACK
    for seed in SEEDS:
        states = history(of, world, seed, lost)
        assert set(states[:BEGIN]) == {"OK"}, f"seed {seed}: on without a reason"
        assert set(states[BEGIN + patience : END]) == {"ALARM"}, f"seed {seed}: late, or off and on"
        assert set(states[END + patience :]) == {"OK"}, f"seed {seed}: it never ends"


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.service)
def test_the_slowest_message_that_is_allowed_is_progress(deployment: Deployment, queue: Queue) -> None:
    of = alarm(deployment, f"{queue.name}-no-progress")
    minutes = queue.time_limit // 60
    for seed in SEEDS:
        assert set(history(of, {VISIBLE: always(3), DELETED: every(minutes)}, seed)) == {"OK"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_task_that_works_is_not_stopped(deployment: Deployment, service: str) -> None:
    of = alarm(deployment, f"smelt-scaling-{service}-load")
    world = {VISIBLE: always(0), IN_FLIGHT: always(1), RUNNING: always(1)}
    for seed in SEEDS:
        assert set(history(of, world, seed, lost=0.05)) == {"OK"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_queue_without_metrics_starts_and_stops_nothing(deployment: Deployment, service: str) -> None:
    """SQS sends none for a queue that nobody has used for six hours."""
    for policy in ("backlog", "age", "load"):
        of = alarm(deployment, f"smelt-scaling-{service}-{policy}")
        assert set(history(of, {RUNNING: always(1)}, seed=1)) == {"OK"}


@pytest.mark.parametrize("service", SERVICES)
def test_old_messages_start_a_task_even_if_nobody_counts_tasks(deployment: Deployment, service: str) -> None:
    """Container Insights need not say that there are none."""
    of = alarm(deployment, f"smelt-scaling-{service}-age")
    states = history(of, {VISIBLE: during(3), AGE: during(3600)}, seed=1)
    assert "ALARM" in states[BEGIN:END]


@pytest.mark.parametrize("service", ["console", "serving"])
def test_a_service_whose_last_task_is_gone_is_away(deployment: Deployment, service: str) -> None:
    """Its target group then has no metric at all."""
    of = alarm(deployment, f"smelt-{service}-away")
    healthy = {minute: 1.0 for minute in range(MINUTES) if not BEGIN <= minute < END}
    states = history(of, {"HealthyHostCount": healthy}, seed=1)
    patience = int(of.values["evaluation_periods"]) + SLACK
    assert set(states[LATE + 2 : BEGIN]) == {"OK"}
    assert set(states[BEGIN + patience : END]) == {"ALARM"}
    assert set(states[END + patience :]) == {"OK"}


def test_a_late_point_is_never_taken_for_a_number(deployment: Deployment) -> None:
    every_one = [Alarm(one) for _, one in deployment.all("aws_cloudwatch_metric_alarm")]
    assert len(every_one) > 30
    assert [one.expression for one in every_one if re.search(r"FILL\(\w+, (?!REPEAT)", one.expression or "")] == []
    assert [one.expression for one in every_one if one.expression and len(one.names) == 1] == []
