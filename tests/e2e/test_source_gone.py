"""A source that is not there, on a stack of its own: nobody else could use it afterwards."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded import stack
from tests.e2e.conftest import Deployment, deployed, unsupervised

pytestmark = pytest.mark.e2e


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """With one of each worker, and a source."""
    with deployed(tmp_path, "--records", "100") as own:
        yield own


def test_a_source_that_is_not_there_is_waited_for_and_named(deployment: Deployment) -> None:
    simulator = next(part for part in stack.status(deployment.home) if part.name == "simulator")
    assert simulator.pid
    with unsupervised(deployment.home):
        os.kill(simulator.pid, signal.SIGTERM)
        result = deployment.smelt("runs", "start", "usajobs_search", "--wait", "--timeout", "12")
    assert result.returncode == 1
    assert "waits: extractor: TransientError" in result.stdout
    assert "ConnectError" in result.stdout
