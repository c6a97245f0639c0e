"""A source that refuses or stumbles: a clear error in the right place, and no posting lost."""

import pytest

from shared.datasets import registry
from tests.e2e.conftest import Deployment, run_outcome

pytestmark = pytest.mark.e2e


def test_a_refused_key_is_said_at_once(deployment: Deployment) -> None:
    deployment.simulator(faults={"401": 1})
    result = deployment.smelt("runs", "start", "usajobs_search", "--wait")
    assert result.returncode == 1
    assert "dead letter on smelt-extract-dlq" in result.stdout
    assert "401 Unauthorized: the source rejects the key or the User-Agent" in result.stdout


@pytest.mark.parametrize(
    "faults",
    [
        {"429": 2, "retry_after": 1},
        {"500": 2},
        {"truncate": 2},
        {"html200": 2},
        {"message200": 2},
        {"utf16": 2},
        {"null_list": 1, "newline": 1},
        {"status": 2, "code": 520},
    ],
    ids=["429", "500", "cut short", "HTML", "an error message", "UTF-16", "no list", "520"],
)
def test_a_source_that_stumbles_costs_time_and_nothing_else(deployment: Deployment, faults: dict[str, int]) -> None:
    deployment.simulator(faults=faults)
    outcome = run_outcome(deployment.smelt, "usajobs_search", "--param", "keyword=analyst")
    assert deployment.simulator()["faults"].get(next(iter(faults)), 0) == 0, "the faults never happened"
    assert outcome["exit_code"] == 0
    assert outcome["run"]["distinct_records"] == outcome["run"]["expected_records"] > 0
    assert outcome["dead_letters"] == []


def test_a_wrong_parameter_is_refused_before_anything_is_queued(deployment: Deployment) -> None:
    result = deployment.smelt("runs", "start", "usajobs_search", "--param", "colour=red")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("smelt: unknown parameter 'colour'; the Search API takes DatePosted, ")
    assert result.stderr.count("\n") == 1


def test_an_unknown_dataset_is_refused(deployment: Deployment) -> None:
    result = deployment.smelt("runs", "start", "weather")
    known = ", ".join(registry.names())
    assert (result.returncode, result.stderr) == (1, f"smelt: no dataset 'weather'; known: {known}\n")
