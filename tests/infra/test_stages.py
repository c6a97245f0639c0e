"""The whole deployment on moto's server, in the order of docs/aws.md: after each stage a second plan is empty."""

import json
import shutil
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import trustme

from tests.infra.conftest import ACCOUNT, HERE, REGION, SOURCE, Moto, Terraform

pytestmark = [pytest.mark.integration, pytest.mark.nightly, pytest.mark.timeout(900)]

OPTIONS = ("-input=false", "-no-color", "-parallelism=30")
NAMES = {"console": "console.smelt.example", "serving": "smelt.example"}

BASE: dict[str, Any] = {
    "account": ACCOUNT,
    "region": REGION,
    "availability_zones": ["us-east-1a", "us-east-1b"],
    "image_tag": "1.2.3",
    "usajobs_user_agent": "data@agency.example",
    "alert_emails": ["oncall@agency.example"],
    "monthly_budget": 500,
    "postgres_certificates": "-----BEGIN CERTIFICATE-----",
}
WEB: dict[str, Any] = {
    "names": NAMES,
    "from": ["10.0.0.0/8"],
    "operators": ["smelt-operators", "ada@agency.example"],
    "login": {
        "issuer": "https://login.example",
        "authorization_endpoint": "https://login.example/authorize",
        "token_endpoint": "https://login.example/token",
        "user_info_endpoint": "https://login.example/me",
        "client_id": "smelt-at-login",
        "client_secret_name": "smelt-login",
    },
}
# As many options as there are, none at its default, and whatever protects from deletion off.
CHANGED: dict[str, Any] = {
    "cpu_architecture": "X86_64",
    "spot": True,
    "log_retention": 30,
    "runbooks": "https://git.agency.example/smelt/docs/runbooks",
    "lifecycle_days": {"bronze_to_glacier": 1, "bronze_expiry": 400, "silver_expiry": 90},
    "postgres": {
        "instance_class": "db.t4g.micro",
        "storage": 20,
        "largest_storage": 100,
        "max_connections": 150,
        "backup_days": 7,
        "multi_az": False,
        "proxy": True,
        "deletion_protection": False,
    },
    "workers": {"extractor": {"most": 3}, "transformer": {"least": 0, "most": 2}, "loader": {"least": 0, "most": 4}},
    "schedules": {"codes": {"dataset": "usajobs_codes", "expression": "rate(1 day)", "enabled": False}},
    "scheduled_tasks": {},
}


@dataclass(frozen=True)
class Stage:
    name: str
    variables: dict[str, Any] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()


STAGES = (
    Stage("repositories", arguments=("-target=module.compute.aws_ecr_repository.service",)),
    Stage("paused", {"paused": True}),
    Stage("normal"),
    Stage("web", {"web": WEB}),
    Stage("options", CHANGED | {"web": WEB | {"deletion_protection": False, "serving_login": False}}),
    Stage("without-web", CHANGED),
)


@dataclass
class Deployment:
    """A copy of the root module whose AWS is moto's server."""

    terraform: Terraform
    moto: Moto
    certificate: str
    applied: list[str] = field(default_factory=list)

    def apply(self, stage: Stage) -> None:
        """Apply a stage. What there is need not be read once more: the plan after the stage before has done that."""
        self.terraform.run("apply", "-auto-approve", "-refresh=false", *OPTIONS, *self._arguments(stage))

    def plan_again(self, stage: Stage) -> tuple[int, str]:
        """Plan the same stage: 0 where there is nothing to do, 2 where there is."""
        process = self.terraform.start("plan", "-detailed-exitcode", *OPTIONS, *self._arguments(stage))
        output, _ = process.communicate()
        return process.returncode, output

    def destroy(self, stage: Stage) -> None:
        self.terraform.run("destroy", "-auto-approve", "-refresh=false", *OPTIONS, *self._arguments(stage))

    def _arguments(self, stage: Stage) -> tuple[str, ...]:
        variables = BASE | stage.variables
        if "web" in variables:
            variables["web"] = variables["web"] | {"certificate_arn": self.certificate}
        file = self.terraform.root / f"{stage.name}.tfvars.json"
        file.write_text(json.dumps(variables))
        return (f"-var-file={file.name}", *stage.arguments)


@pytest.fixture(scope="module")
def deployment(terraform: Terraform, moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    root = tmp_path_factory.mktemp("stages") / "terraform"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns(".terraform*", "tests"))
    shutil.copy(HERE / "on_moto" / "moto_override.tf", root)
    shutil.copy(HERE / "on_moto" / "database_override.tf", root / "modules" / "database")
    copy = Terraform(terraform.command, root, terraform.environment | moto.access)
    copy.run("init", "-input=false", "-no-color")
    return Deployment(copy, moto, _before_the_web(moto.address))


def _before_the_web(address: str) -> str:
    """The secret of the login, and the certificate, whose ARN is returned."""
    certificate = trustme.CA().issue_cert(*NAMES.values())
    session = boto3.Session("moto", "moto", region_name=REGION)
    session.client("secretsmanager", endpoint_url=address).create_secret(Name="smelt-login", SecretString="secret")
    imported = session.client("acm", endpoint_url=address).import_certificate(
        Certificate=certificate.cert_chain_pems[0].bytes(), PrivateKey=certificate.private_key_pem.bytes()
    )
    return str(imported["CertificateArn"])


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_is_applied_and_a_second_plan_is_empty(deployment: Deployment, stage: Stage) -> None:
    before = [one.name for one in STAGES[: STAGES.index(stage)]]
    assert deployment.applied == before, "a stage before has failed"
    deployment.apply(stage)
    code, output = deployment.plan_again(stage)
    assert code == 0, output
    deployment.applied.append(stage.name)


def test_minor_upgrades_by_aws_change_nothing(deployment: Deployment) -> None:
    deployment.moto.engine_versions.write_text(json.dumps({"valkey": "8.2.0", "postgres": "18.4"}))
    code, output = deployment.plan_again(STAGES[-1])
    assert code == 0, output


def test_nothing_is_left_when_all_is_destroyed(deployment: Deployment) -> None:
    assert deployment.applied == [stage.name for stage in STAGES], "a stage before has failed"
    deployment.destroy(STAGES[-1])
    assert deployment.terraform.run("state", "list") == ""


def test_moto_implements_whatever_the_provider_asked_for(deployment: Deployment) -> None:
    lines = deployment.moto.log.read_text().splitlines()
    assert any("HTTP/1.1" in line for line in lines)
    assert [line for line in lines if "moto does not implement" in line] == []
