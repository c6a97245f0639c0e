"""The simulation of queues and tasks: what it says is what its rules say, and its page is of this code."""

import re
from dataclasses import replace

import pytest

from bench import scaling
from bench.scaling_model import (
    AGE_COOLDOWN,
    DAY,
    IN_COOLDOWN,
    MINUTE,
    OUT_COOLDOWN,
    Scaling,
    Stage,
    burst,
    daily,
    scaling_of,
    simulate,
)
from tests.conftest import REPOSITORY

SMALL = Scaling(cpu=1.0, memory=2.0, least=1, most=4, backlog_per_task=60, oldest=300)
RULES = (REPOSITORY / "infra" / "terraform" / "modules" / "compute" / "scaling.tf").read_text()


def test_every_message_is_done_once() -> None:
    seen = simulate(Stage(SMALL, cpu=1.0, wait=0.0), burst(300, 5), seed=1)
    assert sum(seen.done) == len(seen.waited) == 300


def test_a_task_that_keeps_up_lets_nobody_wait_and_gets_no_company() -> None:
    seen = simulate(Stage(SMALL, cpu=0.1, wait=0.0), [1] * 600, seed=1)
    assert (seen.most_tasks, seen.wait(0.99)) == (1, 0.0)


def test_a_backlog_brings_tasks_up_to_the_limit_and_no_more() -> None:
    seen = simulate(Stage(SMALL, cpu=1.0, wait=0.0), burst(6_000, 10), seed=1)
    assert seen.most_tasks == SMALL.most
    alone = simulate(Stage(replace(SMALL, most=1), cpu=1.0, wait=0.0), burst(6_000, 10), seed=1)
    assert seen.finished_at < alone.finished_at


def test_a_service_without_tasks_starts_one_for_a_single_message() -> None:
    seen = simulate(Stage(replace(SMALL, least=0), cpu=1.0, wait=0.0), [1], seed=1)
    assert seen.most_tasks == 1
    assert seen.wait(1.0) > MINUTE


def test_tasks_leave_when_there_is_nothing_to_do() -> None:
    quiet = burst(6_000, 10) + [0] * (2 * DAY // 24)
    seen = simulate(Stage(SMALL, cpu=1.0, wait=0.0), quiet, seed=1)
    assert seen.task_seconds < len(quiet) * SMALL.most


def test_a_database_of_so_many_processors_loads_no_more_however_many_loaders() -> None:
    few, many = (Stage(replace(SMALL, most=most), 0.0, 0.0, together=2.0, shared_cpu=1.0) for most in (2, 8))
    assert 8 / many.seconds(8) == pytest.approx(2 / few.seconds(2))


def test_a_day_has_all_its_messages_and_its_peak() -> None:
    arrivals = daily(100_000, 3.0, seed=1)
    hours = [sum(arrivals[start : start + DAY // 24]) for start in range(0, DAY, DAY // 24)]
    assert sum(arrivals) == 100_000
    assert max(hours) == pytest.approx(3 * 100_000 / 24, rel=0.05)


def test_the_same_seed_gives_the_same_day() -> None:
    stage = Stage(SMALL, cpu=0.5, wait=0.1)
    assert simulate(stage, daily(10_000, 3.0, 1), 2) == simulate(stage, daily(10_000, 3.0, 1), 2)


def test_the_limits_are_those_of_terraform() -> None:
    found = scaling_of(scaling.WORKERS.read_text())
    assert {"extractor", "transformer", "loader"} <= set(found)
    assert all(one.most > one.least for one in found.values())
    cooldowns = [int(value) for value in re.findall(r"cooldown\s+= (\d+)", RULES)]
    assert cooldowns == [OUT_COOLDOWN, AGE_COOLDOWN, IN_COOLDOWN]
    assert "3 * worker.backlog_per_task" in RULES
    assert "from = 15 * worker.backlog_per_task" in RULES


def test_the_page_is_of_this_code() -> None:
    assert (REPOSITORY / "docs" / "scaling.md").read_text() == scaling.written()
