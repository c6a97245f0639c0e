"""Who may do what: the policies as rendered, beside the calls that the services make and the table in docs/aws.md."""

import ast
import json
from collections.abc import Iterator
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from services.ops.schedules.schedules import GROUP, ROLE
from services.serving.gold.dataset_snapshots import key as dataset_key
from services.serving.gold.snapshots import key as gold_key
from shared.config.topology import DISCARDED_PREFIX
from shared.storage.object_keys import rejected_response_key, replay_key, state_key, upload_key
from tests.infra.conftest import SOURCE, Deployment

pytestmark = pytest.mark.integration

REPOSITORY = SOURCE.parents[1]
DOCUMENT = REPOSITORY / "docs" / "aws.md"
BEGIN, END = "<!-- permissions: written by tests/infra/test_permissions.py -->", "<!-- /permissions -->"
SERVICES = ("extractor", "transformer", "uploads", "loader", "ops", "console", "serving")
WORKERS = SERVICES[:4]
CODE = {"uploads": "transformer", "console": "ops/console"}  # where a service has no folder of its own
# What modules that the console shares with the command line call for commands that it does not have.
NOT_ON_ITS_PAGES = {
    "schedules.add": {
        "scheduler:CreateSchedule",
        "scheduler:GetScheduleGroup",
        "scheduler:CreateScheduleGroup",
    },
    "schedules.remove": {"scheduler:DeleteSchedule"},
}
BUCKET = "arn:aws:s3:::smelt-111122223333-us-east-1"
QUEUE = "arn:aws:sqs:us-east-1:111122223333"
SCHEDULES = "arn:aws:scheduler:us-east-1:111122223333"
ROLES = "arn:aws:iam::111122223333:role"
OURS = (
    BUCKET,
    QUEUE,
    f"{SCHEDULES}:schedule/smelt/",
    f"{SCHEDULES}:schedule-group/smelt",
    f"{ROLES}/smelt-",
    "arn:aws:kms:",
)

# What a call of boto3, or of shared/storage/objects.py, takes.
ACTIONS = {
    "receive_message": "sqs:ReceiveMessage",
    "delete_message": "sqs:DeleteMessage",
    "delete_message_batch": "sqs:DeleteMessage",
    "change_message_visibility": "sqs:ChangeMessageVisibility",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "purge_queue": "sqs:PurgeQueue",
    "head_bucket": "s3:ListBucket",
    "get_object": "s3:GetObject",
    "head_object": "s3:GetObject",
    "put_object": "s3:PutObject",
    "upload_file": "s3:PutObject",
    "upload_fileobj": "s3:PutObject",
    "delete_object": "s3:DeleteObject",
    "delete_objects": "s3:DeleteObject",
    "list_objects_v2": "s3:ListBucket",
    "list_object_versions": "s3:ListBucketVersions",
    "get_metric_data": "cloudwatch:GetMetricData",
    "list_schedules": "scheduler:ListSchedules",
    "get_schedule": "scheduler:GetSchedule",
    "create_schedule": "scheduler:CreateSchedule",
    "update_schedule": "scheduler:UpdateSchedule",
    "delete_schedule": "scheduler:DeleteSchedule",
    "get_schedule_group": "scheduler:GetScheduleGroup",
    "create_schedule_group": "scheduler:CreateScheduleGroup",
    "objects.get": "s3:GetObject",
    "objects.opened": "s3:GetObject",
    "objects.list_keys": "s3:ListBucket",
    "objects.exists": "s3:GetObject",
    "objects.put": "s3:PutObject",
    "state_copies.publish": "s3:PutObject",
    "versions.list_versions": "s3:ListBucketVersions",
}
# ... of these a service has only what the deployment's options name (`after_loading`).
OPTIONAL = {"loader": {"s3:DeleteObject"}}
# ... and what no call shows.
IMPLIED = {
    "s3:ListBucket": "404 rather than 403 for what is not there",
    "s3:GetObjectVersion": "a GET pinned to the version of its event",
    "s3:AbortMultipartUpload": "a large upload that is broken off",
    "kms:Decrypt": "S3 asks for it",
    "kms:GenerateDataKey": "S3 asks for it",
    "iam:PassRole": "a schedule that is made or changed names a role",
}


def code_of(service: str) -> set[Path]:
    """The modules that a service runs: its folder's, and the engine's where it is a worker."""
    folders = [f"services/{CODE.get(service, service)}", *(["shared/engine"] if service in WORKERS else [])]
    modules = {module for folder in folders for module in (REPOSITORY / folder).rglob("*.py")}
    assert modules
    return _with_imports(modules) if service == "console" else modules


def calls(modules: set[Path]) -> set[str]:
    """The actions that they take."""
    return {ACTIONS[name] for module in modules for name in _names(ast.parse(module.read_text())) if name in ACTIONS}


def _with_imports(modules: set[Path]) -> set[Path]:
    """And what they import of services, and what that imports."""
    imported = {found for module in modules for found in _imports(ast.parse(module.read_text()))}
    return modules if imported <= modules else _with_imports(modules | imported)


def _imports(tree: ast.Module) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services."):
            for name in (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)):
                path = REPOSITORY.joinpath(*name.split(".")).with_suffix(".py")
                yield from [path] if path.is_file() else []


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
            yield f"{getattr(node.value, 'id', '')}.{node.attr}"
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # a paginator's name


def granted(deployment: Deployment, service: str) -> list[dict[str, Any]]:
    return deployment.statements(f'module.compute.aws_iam_role_policy.task["{service}"]')


def allows(statements: list[dict[str, Any]], action: str, resource: str) -> bool:
    """As IAM decides, without conditions."""
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        for statement in statements
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_what_its_code_calls_and_nothing_else(deployment: Deployment, service: str) -> None:
    code = calls(code_of(service))
    if service == "console":
        code -= set().union(*NOT_ON_ITS_PAGES.values())
    may = {action for statement in granted(deployment, service) for action in statement["Action"]}
    assert code - may - OPTIONAL.get(service, set()) == set(), (
        "add them to infra/terraform/modules/compute/permissions.tf"
    )
    assert may - code - IMPLIED.keys() == set(), "nothing calls these any more"


def test_what_the_console_may_not_do_is_on_none_of_its_pages() -> None:
    ops = REPOSITORY / "services" / "ops"
    pages = [*(ops / "console").rglob("*.py"), *(ops / "web").rglob("*.py"), *ops.glob("*/web*.py")]
    named = {name for page in pages for name in _names(ast.parse(page.read_text()))}
    assert "schedules.set_enabled" in named
    assert named & NOT_ON_ITS_PAGES.keys() == set()


@pytest.mark.parametrize(
    ("service", "action", "resource"),
    [
        ("extractor", "s3:PutObject", f"{BUCKET}/bronze/usajobs_search/date=2026-01-01/page=0001.json.gz"),
        ("extractor", "s3:PutObject", f"{BUCKET}/plans/usajobs_search/plan.json"),
        (
            "extractor",
            "s3:PutObject",
            f"{BUCKET}/{rejected_response_key('usajobs_search', '20260101T000000Z-0badcafe', 1, 1)}",
        ),
        ("extractor", "s3:ListBucket", BUCKET),
        ("extractor", "sqs:SendMessage", f"{QUEUE}:smelt-extract"),
        ("extractor", "sqs:SendMessage", f"{QUEUE}:smelt-extract-dlq"),
        ("extractor", "sqs:GetQueueAttributes", f"{QUEUE}:smelt-bronze"),
        ("extractor", "sqs:GetQueueAttributes", f"{QUEUE}:smelt-silver"),
        ("transformer", "s3:GetObjectVersion", f"{BUCKET}/bronze/usajobs_search/date=2026-01-01/a"),
        ("transformer", "s3:PutObject", f"{BUCKET}/quarantine/a"),
        ("uploads", "sqs:ReceiveMessage", f"{QUEUE}:smelt-uploads"),
        ("uploads", "sqs:GetQueueAttributes", f"{QUEUE}:smelt-silver"),
        ("uploads", "s3:GetObjectVersion", f"{BUCKET}/uploads/usajobs_search/a"),
        ("uploads", "s3:PutObject", f"{BUCKET}/silver/a"),
        ("loader", "s3:GetObjectVersion", f"{BUCKET}/quarantine/a"),
        ("loader", "s3:GetObject", f"{BUCKET}/plans/a"),
        ("loader", "s3:PutObject", f"{BUCKET}/{state_key('usajobs_search', {})}"),
        ("extractor", "s3:GetObjectVersion", f"{BUCKET}/{state_key('usajobs_search', {})}"),
        ("ops", "s3:PutObject", f"{BUCKET}/{state_key('usajobs_search', {})}"),
        ("uploads", "s3:GetObjectVersion", f"{BUCKET}/replays/usajobs_search/a"),
        ("loader", "sqs:SendMessage", f"{QUEUE}:smelt-bronze"),
        ("loader", "sqs:SendMessage", f"{QUEUE}:smelt-uploads"),
        ("loader", "sqs:SendMessage", f"{QUEUE}:smelt-silver"),  # what met an outage is put back as a copy
        ("transformer", "sqs:SendMessage", f"{QUEUE}:smelt-bronze"),
        ("uploads", "sqs:SendMessage", f"{QUEUE}:smelt-uploads"),
        ("ops", "sqs:SendMessage", f"{QUEUE}:smelt-silver"),
        ("ops", "sqs:ReceiveMessage", f"{QUEUE}:smelt-bronze-dlq"),
        ("ops", "sqs:DeleteMessage", f"{QUEUE}:smelt-bronze-dlq"),
        ("ops", "s3:PutObject", f"{BUCKET}/{upload_key('usajobs_search', 'a')}"),
        ("ops", "s3:PutObject", f"{BUCKET}/{replay_key('usajobs_search', 'a', 1)}"),
        ("ops", "s3:PutObject", f"{BUCKET}/{DISCARDED_PREFIX}2026-01-01/a"),
        ("ops", "s3:GetObjectVersion", f"{BUCKET}/silver/a"),
        ("ops", "scheduler:CreateSchedule", f"{SCHEDULES}:schedule/{GROUP}/daily"),
        ("ops", "scheduler:GetScheduleGroup", f"{SCHEDULES}:schedule-group/{GROUP}"),
        ("ops", "iam:PassRole", f"{ROLES}/{ROLE}"),
        ("console", "sqs:ReceiveMessage", f"{QUEUE}:smelt-bronze-dlq"),
        ("console", "sqs:SendMessage", f"{QUEUE}:smelt-extract"),
        ("console", "s3:PutObject", f"{BUCKET}/{replay_key('usajobs_search', 'a', 1)}"),
        ("console", "s3:PutObject", f"{BUCKET}/{DISCARDED_PREFIX}2026-01-01/a"),
        ("console", "scheduler:UpdateSchedule", f"{SCHEDULES}:schedule/{GROUP}/daily"),
        ("console", "iam:PassRole", f"{ROLES}/{ROLE}"),
        ("serving", "s3:PutObject", f"{BUCKET}/{gold_key('posting', date(2026, 1, 1))}"),
        ("serving", "s3:PutObject", f"{BUCKET}/{dataset_key('stations', 'station')}"),
    ],
)
def test_a_service_may(deployment: Deployment, service: str, action: str, resource: str) -> None:
    assert allows(granted(deployment, service), action, resource)


@pytest.mark.parametrize(
    ("service", "action", "resource"),
    [
        (
            "extractor",
            "s3:PutObject",
            f"{BUCKET}/{state_key('usajobs_search', {})}",
        ),  # it reads how far others have come
        ("extractor", "s3:PutObject", f"{BUCKET}/silver/a"),  # could make rows of its own
        ("extractor", "sqs:ReceiveMessage", f"{QUEUE}:smelt-bronze"),
        ("extractor", "sqs:SendMessage", f"{QUEUE}:smelt-silver"),
        ("transformer", "s3:PutObject", f"{BUCKET}/bronze/a"),  # bronze is as it came
        ("transformer", "s3:PutObject", f"{BUCKET}/plans/a"),
        ("transformer", "s3:GetObject", f"{BUCKET}/silver/a"),
        ("transformer", "sqs:ReceiveMessage", f"{QUEUE}:smelt-uploads"),
        ("transformer", "s3:GetObject", f"{BUCKET}/uploads/a"),  # another worker's
        ("uploads", "s3:PutObject", f"{BUCKET}/bronze/a"),
        ("loader", "s3:PutObject", f"{BUCKET}/silver/a"),
        ("loader", "s3:GetObject", f"{BUCKET}/bronze/a"),
        ("loader", "sqs:SendMessage", f"{QUEUE}:smelt-extract"),
        ("ops", "s3:PutObject", f"{BUCKET}/bronze/usajobs_search/date=2026-01-01/a"),  # is as it came
        ("ops", "s3:PutObject", f"{BUCKET}/silver/a"),
        ("ops", "sqs:ReceiveMessage", f"{QUEUE}:smelt-silver"),  # looking must not take work from the workers
        ("ops", "sqs:DeleteMessage", f"{QUEUE}:smelt-silver"),
        ("ops", "scheduler:UpdateSchedule", f"{SCHEDULES}:schedule/default/daily"),
        ("ops", "iam:PassRole", f"{ROLES}/mocked"),  # any other
        ("console", "s3:PutObject", f"{BUCKET}/{upload_key('usajobs_search', 'a')}"),
        ("console", "s3:PutObject", f"{BUCKET}/silver/a"),
        ("console", "sqs:ReceiveMessage", f"{QUEUE}:smelt-silver"),
        ("console", "scheduler:CreateSchedule", f"{SCHEDULES}:schedule/{GROUP}/daily"),
        ("console", "iam:PassRole", f"{ROLES}/mocked"),
        ("serving", "s3:GetObject", f"{BUCKET}/gold/a"),  # what is open to questions from outside
        ("serving", "s3:PutObject", f"{BUCKET}/silver/a"),
        ("serving", "sqs:SendMessage", f"{QUEUE}:smelt-extract"),
    ],
)
def test_a_service_may_not(deployment: Deployment, service: str, action: str, resource: str) -> None:
    assert not allows(granted(deployment, service), action, resource)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_may_delete_objects_or_touch_another_s(deployment: Deployment, service: str) -> None:
    for statement in granted(deployment, service):
        assert not any("*" in action or action.startswith("s3:Delete") for action in statement["Action"])
        if statement["Resource"] != ["*"]:  # known by the next test
            assert all(one.startswith(OURS) for one in statement["Resource"])


def test_every_role_with_an_open_resource_is_known(deployment: Deployment) -> None:
    is_open = {
        (address.partition("[")[0], action)
        for address, _ in deployment.all("aws_iam_role_policy")
        for statement in deployment.statements(address)
        if "*" in statement["Resource"]
        for action in statement["Action"]
        if not action.startswith("logs:")  # the delivery of Step Functions' logs
    }
    assert is_open == {
        ("module.compute.aws_iam_role_policy.execution", "ecr:GetAuthorizationToken"),
        ("module.compute.aws_iam_role_policy.task", "cloudwatch:GetMetricData"),
        ("module.compute.aws_iam_role_policy.task", "scheduler:ListSchedules"),
    }


@pytest.mark.parametrize(
    ("service", "secrets"),
    [
        ("extractor", ["smelt/cache-url", "smelt/source"]),
        ("transformer", ["smelt/cache-url"]),
        ("uploads", ["smelt/cache-url"]),
        ("loader", ["rds!db-mocked", "smelt/cache-url"]),
        ("ops", ["rds!db-mocked", "smelt/cache-url"]),
        ("console", ["rds!db-mocked", "smelt/cache-url"]),
        ("serving", ["rds!db-mocked", "smelt/cache-url"]),
    ],
)
def test_a_service_is_started_with_its_own_secrets_only(
    deployment: Deployment, service: str, secrets: list[str]
) -> None:
    statements = deployment.statements(f'module.compute.aws_iam_role_policy.execution["{service}"]')
    (resources,) = (one["Resource"] for one in statements if "secretsmanager:GetSecretValue" in one["Action"])
    assert sorted(resource.rpartition(":secret:")[2] for resource in resources) == secrets


def test_nobody_is_trusted_without_a_condition(deployment: Deployment) -> None:
    for address, role in deployment.all("aws_iam_role"):
        for statement in json.loads(role["assume_role_policy"])["Statement"]:
            assert "aws:SourceAccount" in statement["Condition"]["StringEquals"], address
            assert statement["Principal"].keys() == {"Service"}, address


def test_the_table_in_the_documentation_is_what_is_rendered(deployment: Deployment) -> None:
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)
    written, _, _ = rest.partition(END)
    assert written.strip() == table(deployment), f"put this between the comments in {DOCUMENT}"


def table(deployment: Deployment) -> str:
    """Markdown, a row a statement."""
    rows = ["| Service | May | With |", "|---|---|---|"]
    for service in SERVICES:
        for statement in granted(deployment, service):
            actions = ", ".join(action.partition(":")[2] for action in statement["Action"])
            rows.append(f"| {service} | {actions} | {', '.join(map(_short, statement['Resource']))} |")
    return "\n".join(rows)


def _short(arn: str) -> str:
    if arn.startswith("arn:aws:kms:"):
        return "the data key, through S3"
    if arn == BUCKET:
        return "the bucket"
    if arn == "*":
        return "everything (they know no resources)"
    return f"`{arn.removeprefix(BUCKET + '/').rpartition(':')[2]}`"
