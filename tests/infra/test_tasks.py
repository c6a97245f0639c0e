"""What tasks and schedules are told fits the code that reads it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from services.ops import alerts
from services.ops.schedules import GROUP, LONGEST_LIFE, MOST_TRIES, ROLE
from shared.datasets import contract
from shared.datasets.usajobs_search.source import ApiSettings
from shared.events import RunCommand, command
from shared.schedule import SCHEDULED_TIME, TRIGGER
from shared.settings import Settings
from shared.topology import QUEUES, Queue
from tests.infra.conftest import Deployment

pytestmark = pytest.mark.integration

SERVICES = ("extractor", "transformer", "uploads", "loader", "ops")
SECRETS = {"SMELT_REDIS_URL": "rediss://:password@cache.example:6379"}  # what the secret holds that a task is told of
OTHERS = {"AWS_DEFAULT_REGION", "PGPASSWORD"}  # boto3's and libpq's


def told(deployment: Deployment, service: str) -> dict[str, str]:
    """The variables of a task, secrets with where they come from."""
    container = deployment.container(service, service)
    secrets = {secret["name"]: secret["valueFrom"] for secret in container["secrets"]}
    return {one["name"]: one["value"] for one in container["environment"]} | secrets


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_one_that_the_code_reads(deployment: Deployment, service: str) -> None:
    known = {f"SMELT_{name.upper()}" for name in Settings.model_fields}
    known |= {f"SMELT_USAJOBS_{name.upper()}" for name in ApiSettings.model_fields}
    assert told(deployment, service).keys() - known - OTHERS == set()


@pytest.mark.parametrize("service", SERVICES)
def test_the_settings_of_a_service_are_complete(
    deployment: Deployment, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("SMELT_")]:
        monkeypatch.delenv(name)  # of a stack that other tests use
    for name, value in told(deployment, service).items():
        monkeypatch.setenv(name, SECRETS.get(name, value))
    settings = Settings()
    assert (settings.database_url is not None) == (service in {"loader", "ops"})


def test_the_extractor_is_told_who_asks(deployment: Deployment) -> None:
    variables = told(deployment, "extractor")
    assert variables["SMELT_USAJOBS_USER_AGENT"] == "data@agency.example"
    assert variables["SMELT_USAJOBS_API_KEY"].startswith("arn:aws:secretsmanager:")


@pytest.mark.parametrize("service", ["loader", "ops"])
def test_the_database_is_verified_and_its_url_holds_no_password(deployment: Deployment, service: str) -> None:
    variables = told(deployment, service)
    url = make_url(variables["SMELT_DATABASE_URL"])
    assert url.password is None
    assert url.query["sslmode"] == "verify-full"
    assert variables["PGPASSWORD"].endswith(":password::")


def test_the_first_container_opens_the_scratch_disk_and_leaves_the_certificates(
    deployment: Deployment, tmp_path: Path
) -> None:
    prepare = deployment.container("loader", "prepare")
    assert {"containerName": "prepare", "condition": "SUCCESS"} in deployment.container("loader", "loader")["dependsOn"]
    (script,), scratch = prepare["command"], prepare["mountPoints"][0]["containerPath"]
    certificates = "-----BEGIN CERTIFICATE-----\n%s\\n\n-----END CERTIFICATE-----\n"
    environment = {"CERTIFICATES": certificates, "PATH": "/usr/bin:/bin"}
    subprocess.run([*prepare["entryPoint"], script.replace(scratch, str(tmp_path))], env=environment, check=True)
    named = make_url(told(deployment, "loader")["SMELT_DATABASE_URL"]).query["sslrootcert"]
    assert (tmp_path / Path(str(named)).relative_to(scratch)).read_text() == certificates
    assert tmp_path.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_a_worker_runs_the_module_that_consumes_its_queue(deployment: Deployment, queue: Queue) -> None:
    assert deployment.container(queue.service, queue.service)["command"] == ["python", "-m", queue.module]


def test_every_service_has_an_image_but_uploads_which_run_the_transformer_s(deployment: Deployment) -> None:
    names = {values["name"] for _, values in deployment.all("aws_ecr_repository")}
    assert names == {f"smelt/{service}" for service in SERVICES if service != "uploads"}


def schedules_of_runs(deployment: Deployment) -> list[dict[str, Any]]:
    found = [one for address, one in deployment.all("aws_scheduler_schedule") if ".run[" in address]
    assert found
    return found


def test_a_schedule_s_command_is_one_that_the_extractor_takes(deployment: Deployment) -> None:
    for schedule in schedules_of_runs(deployment):
        body = schedule["target"][0]["input"]
        assert body.count(SCHEDULED_TIME) == 1
        run = command(body.replace(SCHEDULED_TIME, "2026-11-23T07:00:00Z"))
        assert isinstance(run, RunCommand)
        assert run.trigger == TRIGGER + schedule["name"]
        assert run.slot == "2026-11-23T07:00:00Z"
        assert contract.source(run.dataset).checked(run.params) == dict(run.params)


def test_a_schedule_is_as_operators_add_theirs(deployment: Deployment) -> None:
    assert deployment.one("module.compute.aws_iam_role.scheduler_runs")["name"] == ROLE
    for schedule in schedules_of_runs(deployment):
        (retries,) = schedule["target"][0]["retry_policy"]
        assert schedule["group_name"] == GROUP
        assert (retries["maximum_event_age_in_seconds"], retries["maximum_retry_attempts"]) == (
            LONGEST_LIFE,
            MOST_TRIES,
        )


def scheduled_command(deployment: Deployment, name: str) -> list[str]:
    task = deployment.one(f'module.compute.aws_scheduler_schedule.task["{name}"]')
    (override,) = json.loads(task["target"][0]["input"])["containerOverrides"]
    assert override["name"] == "ops"
    return list(override["command"])


def test_a_scheduled_task_names_a_command_of_smelt(deployment: Deployment) -> None:
    assert scheduled_command(deployment, "audit") == ["smelt", "audit", "--repair"]


def test_every_rule_has_an_alarm_or_is_checked_by_the_clock(deployment: Deployment) -> None:
    smelt, check, *options = scheduled_command(deployment, "check")
    assert (smelt, check) == ("smelt", "check")
    assert set(options[::2]) == {"--rule"}
    seen_by_cloudwatch = {rule.name for rule in alerts.rules() if rule.minutes}
    dropped = {"missed-slot"}  # alarms.tf hears of what Scheduler could not send
    assert {*options[1::2]} == {rule.name for rule in alerts.rules()} - seen_by_cloudwatch - dropped
