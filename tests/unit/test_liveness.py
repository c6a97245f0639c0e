"""The liveness file: touched while the worker's loop turns and no task has outlived its time limit."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.engine.availability import Availability
from shared.engine.transport import STUCK_AFTER_SECONDS, Channel

LONGEST_TASK = 10.0


@pytest.fixture
def alive(tmp_path: Path) -> Path:
    return tmp_path / "alive"


@pytest.fixture
def channel(alive: Path) -> Channel:
    """A channel as the worker composes it, with nothing behind it."""
    options = {
        "sqs": None,
        "queue_url": "",
        "receive_wait": 1,
        "liveness_file": alive,
        "availability": Availability({}),
        "longest_task": LONGEST_TASK,
    }
    transport = SimpleNamespace(
        client=SimpleNamespace(transport_options=options), _used_channel_ids=[], channel_max=10, channels=[]
    )
    return Channel(transport)  # type: ignore[arg-type]


def test_an_idle_worker_is_alive(channel: Channel, alive: Path) -> None:
    channel._touch_liveness_file()
    assert alive.exists()


def test_a_worker_busy_within_its_time_limit_is_alive(channel: Channel, alive: Path) -> None:
    channel._delivered_at = {"receipt": time.monotonic() - LONGEST_TASK}
    channel._touch_liveness_file()
    assert alive.exists()


def test_a_worker_whose_task_should_have_been_ended_long_ago_is_not(channel: Channel, alive: Path) -> None:
    channel._delivered_at = {
        "stuck": time.monotonic() - LONGEST_TASK - STUCK_AFTER_SECONDS - 1,
        "new": time.monotonic(),
    }
    channel._touch_liveness_file()
    assert not alive.exists()


def test_a_settled_message_no_longer_counts(channel: Channel, alive: Path) -> None:
    channel._delivered_at = {"stuck": 0.0}
    channel._settled("stuck")
    channel._touch_liveness_file()
    assert alive.exists()
