"""The scripts of the workflow `deploy`, with stubs of the commands that they call: what they do with each failure."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

SCRIPTS = Path(__file__).parents[2] / ".github"
STUB = """#!{python}
import json, os, pathlib, sys

folder = pathlib.Path({folder!r})
arguments = [pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
answers = json.loads((folder / "answers").read_text())
for start in sorted(answers, key=len, reverse=True):
    if " ".join(arguments).startswith(start):
        code, output = answers[start]
        to = sys.stderr if code else sys.stdout
        print(output if isinstance(output, str) else json.dumps(output), file=to)
        sys.exit(code)
"""
OPS = {"cluster": "smelt", "task": "smelt-ops", "network": "{}"}
TASK = "arn:aws:ecs:us-east-1:111122223333:task/smelt/1"
REPOSITORIES = {name: f"111122223333.dkr.ecr.us-east-1.amazonaws.com/smelt/{name}" for name in ("loader", "ops")}
DEFINITION = {
    "family": "smelt-ops",
    "revision": 7,
    "containerDefinitions": [{"name": "prepare", "image": "a/ops:1.0.0"}, {"name": "ops", "image": "a/ops:1.0.0"}],
}
SERVICES: list[dict[str, Any]] = [
    {
        "serviceName": name,
        "taskDefinition": f"smelt-{name}:3",
        "runningCount": 1,
        "desiredCount": 1,
        "deployments": [{}],
        "events": [{"message": "unable to place a task"}],
    }
    for name in ("loader", "extractor")
]

Answers = Mapping[str, tuple[int, Any]]  # {how a call begins: exit code and output}

RUNS: Answers = {
    "terraform -chdir=infra/terraform output -json ops": (0, OPS),
    "aws ecs describe-task-definition": (0, DEFINITION),
    "aws ecs register-task-definition": (0, "smelt-ops:8"),
    "aws ecs run-task": (0, {"tasks": [{"taskArn": TASK}], "failures": []}),
    "aws ecs describe-tasks": (0, {"containers": [{"name": "ops", "exitCode": 0}], "stoppedReason": "Exited"}),
}
STEADY: Answers = {
    "terraform -chdir=infra/terraform output -json ops": (0, OPS),
    "aws ecs list-services": (0, {"serviceArns": ["loader", "extractor"]}),
    "aws ecs describe-services": (0, {"services": SERVICES}),
    "aws ecs describe-task-definition": (0, {"taskDefinition": DEFINITION}),
}


@dataclass(frozen=True)
class Ended:
    """How a script ended, and what it called."""

    code: int
    output: str
    calls: list[list[str]]

    def call(self, *start: str) -> list[str]:
        return next(call for call in self.calls if call[: len(start)] == list(start))


@pytest.fixture
def run(tmp_path: Path) -> Any:
    """Runs a script where `aws`, `terraform`, `docker` and `curl` answer as they are told."""

    def runs(answers: Answers, script: str, *arguments: str, **variables: str) -> Ended:
        commands = tmp_path / "commands"
        commands.mkdir()
        (tmp_path / "infra" / "terraform").mkdir(parents=True)
        (tmp_path / "answers").write_text(json.dumps(answers))
        for name in ("aws", "terraform", "docker", "curl"):
            (commands / name).write_text(STUB.format(python=sys.executable, folder=str(tmp_path)))
            (commands / name).chmod(0o755)
        path = f"{commands}:{os.environ['PATH']}"
        ended = subprocess.run(
            [SCRIPTS / script, *arguments],
            cwd=tmp_path,
            env={"PATH": path} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
        return Ended(ended.returncode, ended.stdout, calls)

    return runs


def test_a_command_runs_with_the_image_of_its_version_and_its_exit_code_counts(run: Any) -> None:
    ended = run(RUNS, "ops-task", "1.2.3", "smelt", "db", "upgrade")
    assert ended.code == 0, ended.output
    (registered,) = (part for part in ended.call("aws", "ecs", "register-task-definition") if part.startswith("{"))
    images = [one["image"] for one in json.loads(registered)["containerDefinitions"]]
    assert images == ["a/ops:1.2.3"] * 2
    (overrides,) = (part for part in ended.call("aws", "ecs", "run-task") if "containerOverrides" in part)
    assert json.loads(overrides)["containerOverrides"] == [{"name": "ops", "command": ["smelt", "db", "upgrade"]}]
    assert ended.call("aws", "ecs", "deregister-task-definition")


FAILED_TASKS: dict[str, tuple[Answers, str]] = {
    "the command failed": (
        {"aws ecs describe-tasks": (0, {"containers": [{"name": "ops", "exitCode": 3}], "stoppedReason": "Exited"})},
        "exit code 3",
    ),
    "the container never ran": (
        {"aws ecs describe-tasks": (0, {"containers": [{"name": "ops"}], "stoppedReason": "CannotPullContainerError"})},
        "exit code none: CannotPullContainerError",
    ),
    "Fargate has no capacity": (
        {"aws ecs run-task": (0, {"tasks": [], "failures": [{"reason": "Capacity is unavailable"}]})},
        "not started: Capacity is unavailable",
    ),
    "it does not end": ({"aws ecs wait tasks-stopped": (255, "Max attempts exceeded")}, "still running"),
    "the task is gone": ({"aws ecs describe-tasks": (0, "null")}, "exit code none"),
    "the definition is refused": ({"aws ecs register-task-definition": (254, "AccessDenied")}, "AccessDenied"),
    "there is no state": ({"terraform": (1, "no outputs")}, ""),
}


@pytest.mark.parametrize("failure", FAILED_TASKS)
def test_a_command_that_did_not_succeed_fails_the_deployment(run: Any, failure: str) -> None:
    answers, said = FAILED_TASKS[failure]
    base = {} if failure == "there is no state" else RUNS
    ended = run({**base, **answers}, "ops-task", "1.2.3", "smelt", "db", "upgrade")
    assert ended.code != 0
    assert said in ended.output


def test_the_log_is_shown_before_a_command_is_given_up(run: Any) -> None:
    ended = run({**RUNS, "aws ecs wait tasks-stopped": (255, "")}, "ops-task", "1.2.3", "smelt", "audit", WAITS="2")
    assert sum(call[:3] == ["aws", "ecs", "wait"] for call in ended.calls) == 2
    assert ended.call("aws", "logs", "tail")


def test_services_that_are_steady_with_their_version_are_a_success(run: Any) -> None:
    ended = run(STEADY, "services-run", "1.0.0")
    assert (ended.code, ended.output.splitlines()[-1]) == (0, "2 services run 1.0.0")


FAILED_SERVICES: dict[str, tuple[Answers, str]] = {
    "rolled back": ({}, "runs a/ops:1.0.0"),
    "not steady": (
        {
            "aws ecs wait services-stable": (255, "Max attempts exceeded"),
            "aws ecs describe-services": (0, {"services": [SERVICES[0] | {"runningCount": 0}]}),
        },
        "loader: 0 of 1 tasks: unable to place a task",
    ),
    "none there": ({"aws ecs list-services": (0, {"serviceArns": []})}, "no service in the cluster smelt"),
    "not allowed": ({"aws ecs describe-services": (254, "AccessDenied")}, ""),
}


@pytest.mark.parametrize("failure", FAILED_SERVICES)
def test_services_that_do_not_run_their_version_fail_the_deployment(run: Any, failure: str) -> None:
    answers, said = FAILED_SERVICES[failure]
    ended = run({**STEADY, **answers}, "services-run", "1.2.3")
    assert ended.code != 0
    assert said in ended.output


def test_a_plan_is_made_with_the_region_s_certificates_and_shown(run: Any, tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    answers: Answers = {"terraform show": (0, "Plan: 1 to add"), "curl": (0, "-----BEGIN CERTIFICATE-----")}
    place = {"AWS_REGION": "us-east-1", "STATE_BUCKET": "states", "TERRAFORM_VARIABLES": "{}"}
    ended = run(answers, "plan", "1.2.3", GITHUB_STEP_SUMMARY=str(summary), **place)
    assert ended.code == 0, ended.output
    assert {"image_tag=1.2.3", "-out=plan", "-lock=false"} <= set(ended.call("terraform", "plan"))
    assert ended.call("curl")[-1].endswith("/us-east-1/us-east-1-bundle.pem")
    assert summary.read_text() == "```\nPlan: 1 to add\n```\n"


@pytest.mark.parametrize("failing", ["curl", "terraform init", "terraform plan", "terraform show"])
def test_whatever_fails_before_a_plan_is_shown_fails_the_plan(run: Any, failing: str) -> None:
    place = {"AWS_REGION": "us-east-1", "STATE_BUCKET": "states", "TERRAFORM_VARIABLES": "{}"}
    assert run({failing: (1, "")}, "plan", "1.2.3", **place).code != 0


def test_images_that_are_not_there_yet_are_copied(run: Any) -> None:
    answers: Answers = {
        "terraform -chdir=infra/terraform output -json repositories": (0, REPOSITORIES),
        f"docker buildx imagetools inspect {REPOSITORIES['loader']}:1.2.3": (1, "not found"),
    }
    ended = run(answers, "copy-images", "1.2.3", "ghcr.io/owner/smelt")
    assert ended.code == 0, ended.output
    copied = [call[4:] for call in ended.calls if call[:4] == ["docker", "buildx", "imagetools", "create"]]
    assert copied == [["--tag", f"{REPOSITORIES['loader']}:1.2.3", "ghcr.io/owner/smelt/loader:1.2.3"]]


@pytest.mark.parametrize("failing", ["aws ecr get-login-password", "docker login", "docker buildx imagetools"])
def test_an_image_that_cannot_be_copied_fails_the_deployment(run: Any, failing: str) -> None:
    answers: Answers = {
        "terraform -chdir=infra/terraform output -json repositories": (0, REPOSITORIES),
        failing: (1, "denied"),
    }
    assert run(answers, "copy-images", "1.2.3", "ghcr.io/owner/smelt").code != 0


def test_the_workflow_calls_each_script() -> None:
    jobs = yaml.safe_load((SCRIPTS / "workflows" / "deploy.yml").read_text())["jobs"]
    lines = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    assert [
        script for script in ("plan", "copy-images", "ops-task", "services-run") if f".github/{script} " not in lines
    ] == []
