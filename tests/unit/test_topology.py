"""The topology, and what must agree with it."""

import re
from dataclasses import fields
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path

import pytest
import yaml

from infra.embedded.options import Options
from shared.config import topology
from shared.config.topology import NOTIFICATIONS, QUEUES, Queue

ROOT = Path(__file__).parents[2]
FOR_TERRAFORM = ROOT / "infra" / "terraform" / "topology.json"

every_queue = pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)


def test_terraform_reads_the_topology_as_it_is() -> None:
    assert FOR_TERRAFORM.read_text() == topology.as_json() + "\n", "out of date: run `make topology`"


@every_queue
def test_a_queue_is_consumed_by_a_service_that_exists(queue: Queue) -> None:
    assert find_spec(queue.module)
    assert topology.queue_of(queue.service) is queue


@every_queue
def test_a_queue_has_a_worker_in_every_environment(queue: Queue) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    terraform = ROOT / "infra" / "terraform"
    workers = {field.name.removesuffix("s") for field in fields(Options)}
    dashboard = (terraform / "modules" / "observability" / "dashboard.tf").read_text()
    assert queue.service in compose
    assert queue.service.removesuffix("s") in workers, "infra/embedded/options.py"
    assert f"    {queue.service} = optional(object({{" in (terraform / "workers.tf").read_text()
    assert f'"{queue.service}"' in re.findall(r"in_order = (\[.*?\])", dashboard)[0]


@every_queue
def test_a_queue_has_a_dead_letter_queue_of_its_own_name(queue: Queue) -> None:
    assert queue.dead_letter_name == f"{queue.name}-dlq"
    assert queue.dead_letter_name not in {other.name for other in QUEUES}


@every_queue
def test_a_queue_s_numbers_are_those_that_sqs_takes(queue: Queue) -> None:
    assert 0 < queue.visibility <= 43_200
    assert 60 <= queue.retention < topology.DEAD_LETTER_RETENTION <= 1_209_600
    assert queue.time_limit < 43_200  # a receipt handle lives for twelve hours, however often it is extended
    assert queue.max_receives > 1


def test_no_two_queues_share_a_name_or_a_service() -> None:
    assert len({queue.name for queue in QUEUES}) == len({queue.service for queue in QUEUES}) == len(QUEUES)


def test_every_prefix_notifies_one_queue_that_exists() -> None:
    assert set(NOTIFICATIONS.values()) <= set(QUEUES)
    assert all(prefix.endswith("/") for prefix in NOTIFICATIONS)


def test_no_prefix_is_the_beginning_of_another() -> None:
    assert not [pair for pair in permutations(NOTIFICATIONS, 2) if pair[0].startswith(pair[1])]


def test_a_service_without_a_queue_is_an_error() -> None:
    with pytest.raises(KeyError):
        topology.queue_of("ops")
