"""What tasks and schedules are told fits the code that reads it."""

import json
import os
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from uvicorn.middleware.proxy_headers import _TrustedHosts

from services.ops.console import __main__ as console_process
from services.ops.console.auth import AlbAuth, authenticator
from services.ops.console.settings import ConsoleSettings
from services.ops.health import rules
from services.ops.schedules.schedules import GROUP, MAX_AGE_SECONDS, MAX_ATTEMPTS, ROLE
from services.serving import __main__ as serving_process
from services.serving.settings import ServingSettings
from shared.config.settings import Settings
from shared.config.topology import QUEUES, Queue
from shared.datasets import registry
from shared.datasets.catalog.usajobs_search import ApiSettings
from shared.formats.commands import SCHEDULED_TIME, TRIGGER, RunCommand, parse_command
from tests.infra.conftest import SOURCE, Deployment

pytestmark = pytest.mark.integration

SERVICES = ("extractor", "transformer", "uploads", "loader", "ops", "console", "serving")
DATABASE = {"loader", "ops", "console", "serving"}  # who knows it
IMAGES = {"uploads": "transformer", "console": "ops"}  # who has none of their own
SECRETS = {"SMELT_REDIS_URL": "rediss://:password@cache.example:6379"}  # what the secret holds that a task is told of
OTHERS = {"AWS_DEFAULT_REGION", "PGPASSWORD", "FORWARDED_ALLOW_IPS"}  # boto3's, libpq's and uvicorn's


def told(deployment: Deployment, service: str) -> dict[str, str]:
    """The variables of a task, secrets with where they come from."""
    container = deployment.container(service, service)
    secrets = {secret["name"]: secret["valueFrom"] for secret in container["secrets"]}
    return {one["name"]: one["value"] for one in container["environment"]} | secrets


@pytest.mark.parametrize("service", SERVICES)
def test_every_variable_is_one_that_the_code_reads(deployment: Deployment, service: str) -> None:
    read = ServingSettings if service == "serving" else Settings
    known = {f"SMELT_{name.upper()}" for name in read.model_fields}
    known |= {f"SMELT_USAJOBS_{name.upper()}" for name in ApiSettings.model_fields if service == "extractor"}
    known |= {f"SMELT_CONSOLE_{name.upper()}" for name in ConsoleSettings.model_fields if service == "console"}
    assert told(deployment, service).keys() - known - OTHERS == set()


@pytest.fixture
def become(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Gives this process the environment of a service's task."""

    def becomes(service: str) -> None:
        for name in [name for name in os.environ if name.startswith("SMELT_")]:
            monkeypatch.delenv(name)  # of a stack that other tests use
        for name, value in told(deployment, service).items():
            monkeypatch.setenv(name, SECRETS.get(name, value))

    return becomes


@pytest.mark.parametrize("service", [service for service in SERVICES if service != "serving"])
def test_the_settings_of_a_service_are_complete(become: Callable[[str], None], service: str) -> None:
    become(service)
    assert (Settings().database_url is not None) == (service in DATABASE)


def test_the_console_believes_its_load_balancer_and_nobody_else(
    deployment: Deployment, become: Callable[[str], None]
) -> None:
    become("console")
    settings = ConsoleSettings()
    assert isinstance(authenticator(settings), AlbAuth)
    assert settings.alb_arn == deployment.one("module.web[0].aws_lb.this")["arn"]
    (login, _) = deployment.one('module.web[0].aws_lb_listener_rule.name["console"]')["action"]
    assert settings.alb_client == login["authenticate_oidc"][0]["client_id"] == "smelt-at-login"
    assert (settings.names, settings.token, settings.read_token) == (("console.smelt.example",), None, None)
    assert set(settings.operators) == {"smelt-operators", "ada@agency.example"}


def test_serving_knows_gold_s_bucket_its_database_and_no_queue(become: Callable[[str], None]) -> None:
    become("serving")
    settings = ServingSettings()
    assert settings.bucket == "smelt-111122223333-us-east-1"
    assert settings.redis_url is not None
    assert not any("QUEUE" in name for name in os.environ if name.startswith("SMELT_"))


@pytest.mark.parametrize("service", ["console", "serving"])
def test_who_asks_is_who_the_load_balancer_says_and_not_who_they_say(deployment: Deployment, service: str) -> None:
    trusted = told(deployment, service)["FORWARDED_ALLOW_IPS"]
    assert trusted == "10.42.64.0/20,10.42.80.0/20"
    assert _TrustedHosts(trusted).get_trusted_client_address("6.6.6.6, 10.9.8.7, 10.42.64.9") == ("10.9.8.7", 0)


def test_by_default_the_load_balancer_is_internal_and_no_accident_deletes_it(deployment: Deployment) -> None:
    balancer = deployment.one("module.web[0].aws_lb.this")
    assert (balancer["internal"], balancer["enable_deletion_protection"]) == (True, True)


def listens(service: str) -> tuple[str, int]:
    """Host and port, by the environment."""
    if service == "console":
        console = ConsoleSettings()
        return console.host, console.port
    serving = ServingSettings()
    return serving.serving_host, serving.serving_port


@pytest.mark.parametrize("service", ["console", "serving"])
def test_the_load_balancer_reaches_the_port_that_the_service_listens_on(
    deployment: Deployment, become: Callable[[str], None], service: str
) -> None:
    become(service)
    target = deployment.one(f'module.web[0].aws_lb_target_group.this["{service}"]')
    assert listens(service) == ("0.0.0.0", target["port"])  # noqa: S104 - its security group admits the load balancer only
    assert deployment.container(service, service)["portMappings"] == [
        {"containerPort": target["port"], "protocol": "tcp"}
    ]


def test_the_extractor_is_told_who_asks(deployment: Deployment) -> None:
    variables = told(deployment, "extractor")
    assert variables["SMELT_USAJOBS_USER_AGENT"] == "data@agency.example"
    assert variables["SMELT_USAJOBS_API_KEY"].startswith("arn:aws:secretsmanager:")


@pytest.mark.parametrize("service", sorted(DATABASE))
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


@pytest.mark.parametrize("keep_alive", [console_process.KEEP_ALIVE_SECONDS, serving_process.KEEP_ALIVE_SECONDS])
def test_the_load_balancer_gives_an_idle_connection_up_before_the_service_does(
    deployment: Deployment, keep_alive: int
) -> None:
    assert deployment.one("module.web[0].aws_lb.this")["idle_timeout"] < keep_alive


def test_every_alarm_names_a_page_that_says_what_to_do(deployment: Deployment) -> None:
    said = [
        one["alarm_description"]
        for address, one in deployment.all("aws_cloudwatch_metric_alarm")
        if ".rule[" in address
    ]
    assert said
    assert [one for one in said if not (SOURCE.parents[1] / one.rpartition("What to do: ")[2]).is_file()] == []


@pytest.mark.parametrize(("service", "module"), [("console", "services.ops.console"), ("serving", "services.serving")])
def test_what_people_reach_runs_the_module_that_serves_it(deployment: Deployment, service: str, module: str) -> None:
    assert deployment.container(service, service)["command"] == ["python", "-m", module]
    assert find_spec(f"{module}.__main__")


def test_every_service_has_an_image_or_runs_another_s(deployment: Deployment) -> None:
    names = {values["name"] for _, values in deployment.all("aws_ecr_repository")}
    assert names == {f"smelt/{IMAGES.get(service, service)}" for service in SERVICES}


def schedules_of_runs(deployment: Deployment) -> list[dict[str, Any]]:
    found = [one for address, one in deployment.all("aws_scheduler_schedule") if ".run[" in address]
    assert found
    return found


def test_a_schedule_s_command_is_one_that_the_extractor_takes(deployment: Deployment) -> None:
    for schedule in schedules_of_runs(deployment):
        body = schedule["target"][0]["input"]
        assert body.count(SCHEDULED_TIME) == 1
        run = parse_command(body.replace(SCHEDULED_TIME, "2026-11-23T07:00:00Z"))
        assert isinstance(run, RunCommand)
        assert run.trigger == TRIGGER + schedule["name"]
        assert run.scheduled_for == "2026-11-23T07:00:00Z"
        assert registry.dataset(run.dataset).source.checked(run.params) == dict(run.params)


def test_a_schedule_is_as_operators_add_theirs(deployment: Deployment) -> None:
    assert deployment.one("module.compute.aws_iam_role.scheduler_runs")["name"] == ROLE
    for schedule in schedules_of_runs(deployment):
        (retries,) = schedule["target"][0]["retry_policy"]
        assert schedule["group_name"] == GROUP
        assert (retries["maximum_event_age_in_seconds"], retries["maximum_retry_attempts"]) == (
            MAX_AGE_SECONDS,
            MAX_ATTEMPTS,
        )


def scheduled_command(deployment: Deployment, name: str) -> list[str]:
    task = deployment.one(f'module.compute.aws_scheduler_schedule.task["{name}"]')
    (override,) = json.loads(task["target"][0]["input"])["containerOverrides"]
    assert override["name"] == "ops"
    return list(override["command"])


def test_a_scheduled_task_names_a_command_of_smelt(deployment: Deployment) -> None:
    assert scheduled_command(deployment, "audit") == ["smelt", "reconcile", "--repair"]


def test_every_rule_has_an_alarm_or_is_checked_by_the_clock(deployment: Deployment) -> None:
    smelt, check, *options = scheduled_command(deployment, "check")
    assert (smelt, check) == ("smelt", "check")
    assert set(options[::2]) == {"--rule"}
    seen_by_cloudwatch = {rule.name for rule in rules.rules() if rule.minutes}
    dropped = {"missed-slot"}  # alarms.tf hears of what Scheduler could not send
    assert {*options[1::2]} == {rule.name for rule in rules.rules()} - seen_by_cloudwatch - dropped
