"""infra/bootstrap on moto's server: applied by one command, and what comes out fits the workflow `deploy`."""

import json
import shutil
from typing import Any

import boto3
import pytest
import yaml

from tests.infra.conftest import ACCOUNT, HERE, REGION, SOURCE, Moto, Terraform

pytestmark = pytest.mark.integration

BOOTSTRAP = SOURCE.parent / "bootstrap"
WORKFLOW = SOURCE.parents[1] / ".github" / "workflows" / "deploy.yml"
VARIABLES = ("-var", f"account={ACCOUNT}", "-var", f"region={REGION}", "-var", "repository=owner/smelt")
BUCKET = f"smelt-state-{ACCOUNT}-{REGION}"


@pytest.fixture(scope="module")
def bootstrap(terraform: Terraform, moto: Moto, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Applied."""
    root = tmp_path_factory.mktemp("bootstrap") / "bootstrap"
    shutil.copytree(BOOTSTRAP, root, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    shutil.copy(HERE / "on_moto" / "moto_override.tf", root)
    copy = Terraform(terraform.command, root, terraform.environment | moto.access)
    copy.run("init", "-input=false", "-no-color")
    copy.run("apply", "-auto-approve", "-input=false", "-no-color", *VARIABLES)
    return copy


@pytest.fixture(scope="module")
def iam(bootstrap: Terraform, moto: Moto) -> Any:
    assert bootstrap
    return boto3.Session("moto", "moto", region_name=REGION).client("iam", endpoint_url=moto.address)


def role_steps() -> dict[str, dict[str, Any]]:
    """{environment: what is asked of its role}, from the workflow."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return {
        job["environment"].replace("${{ inputs.environment }}", "production"): step["with"]
        for job in jobs
        for step in job["steps"]
        if step.get("uses", "").startswith("aws-actions/configure-aws-credentials")
    }


def test_a_second_plan_is_empty(bootstrap: Terraform) -> None:
    process = bootstrap.start("plan", "-detailed-exitcode", "-input=false", "-no-color", *VARIABLES)
    output, _ = process.communicate()
    assert process.returncode == 0, output


def test_it_is_formatted(terraform: Terraform) -> None:
    terraform.run("fmt", "-check", "-diff", "-no-color", str(BOOTSTRAP))


def test_a_role_may_last_for_as_long_as_the_workflow_asks(bootstrap: Terraform, iam: Any) -> None:
    variables = json.loads(bootstrap.run("output", "-json", "github"))
    steps = role_steps()
    assert variables.keys() == steps.keys() == {"production", "production-plan"}
    for environment, wanted in steps.items():
        role = iam.get_role(RoleName=variables[environment]["AWS_ROLE"].rpartition("/")[2])["Role"]
        assert role["MaxSessionDuration"] >= wanted.get("role-duration-seconds", 3600)


def test_a_role_trusts_its_environment_of_the_repository_only(bootstrap: Terraform, iam: Any) -> None:
    variables = json.loads(bootstrap.run("output", "-json", "github"))
    for environment, values in variables.items():
        role = iam.get_role(RoleName=values["AWS_ROLE"].rpartition("/")[2])["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {
            "StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": f"repo:owner/smelt:environment:{environment}",
            }
        }


def test_who_plans_reads_the_secrets_of_the_plan_and_no_data(bootstrap: Terraform) -> None:
    policy = json.loads(json.loads(bootstrap.run("output", "-json", "plan_policy")))
    allowed = {action for one in policy["Statement"] if one["Effect"] == "Allow" for action in one["Action"]}
    assert allowed == {
        "kms:Decrypt",
        "s3:PutObject",
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "states:ValidateStateMachineDefinition",
    }
    (denied,) = (one for one in policy["Statement"] if one["Effect"] == "Deny")
    assert denied["NotResource"] == [f"arn:aws:s3:::{BUCKET}/*"]


def test_a_repository_with_a_wildcard_is_refused(bootstrap: Terraform) -> None:
    process = bootstrap.start("plan", "-input=false", "-no-color", *VARIABLES, "-var", "repository=owner/*")
    output, _ = process.communicate()
    assert process.returncode == 1
    assert "OWNER/REPOSITORY" in output


def test_the_bucket_keeps_a_state_and_its_lock(bootstrap: Terraform, moto: Moto) -> None:
    """As infra/terraform/versions.tf asks for it, and docs/aws.md sets it up."""
    folder = bootstrap.root / "user"
    folder.mkdir()
    (folder / "main.tf").write_text(
        'terraform {\n  backend "s3" {\n    encrypt      = true\n    use_lockfile = true\n'
        "    use_path_style = true\n    skip_credentials_validation = true\n    skip_requesting_account_id = true\n"
        "    skip_region_validation = true\n    skip_metadata_api_check = true\n  }\n}\n"
        'resource "terraform_data" "one" {}\n'
    )
    s3 = boto3.Session("moto", "moto", region_name=REGION).client("s3", endpoint_url=moto.address)
    s3.delete_bucket_policy(Bucket=BUCKET)  # it refuses what comes without TLS, as all does here
    backend = [f"-backend-config={one}" for one in (f"bucket={BUCKET}", "key=smelt.tfstate", f"region={REGION}")]
    bootstrap.run("init", "-input=false", "-no-color", *backend, folder=folder)
    bootstrap.run("apply", "-auto-approve", "-input=false", "-no-color", folder=folder)
    state = s3.get_object(Bucket=BUCKET, Key="smelt.tfstate")
    assert "terraform_data" in state["Body"].read().decode()
    assert "VersionId" in state
