"""What terraform and checkov say, and the module `messaging` applied to the emulator for real."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.embedded import aws, ports
from shared.config import topology
from shared.engine.preflight import check_queue
from shared.formats.s3_events import created_objects
from shared.storage.object_id import ObjectId
from shared.storage.objects import get, put
from tests.infra.conftest import Terraform, missing

pytestmark = pytest.mark.integration

BUCKET = "smelt-emulated"
SECRET = "secret-of-the-test"  # noqa: S105 - of this test
PINNED = "5.100.0"
SKIP = re.compile(r"#checkov:skip=(\w+):(.*)")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of an emulator that holds nothing yet."""
    port = ports.choose({})["aws"]
    command = aws.command(tmp_path_factory.mktemp("emulator"), port, SECRET)
    process = subprocess.Popen(command.arguments, cwd=command.folder, env=command.environment)
    try:
        while process.poll() is None and not (ports.accepts(port) and command.ready and command.ready()):
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module", autouse=True)
def applying(terraform: Terraform, emulator: int) -> Iterator["subprocess.Popen[str]"]:
    """Begins before the first test and goes on beside the others: the provider waits for SQS for most of a minute."""
    folder = terraform.root / "tests" / "emulated"
    place = {"name": "smelt", "partition": "aws", "region": aws.REGION, "account": aws.ACCOUNT}
    variables = {
        **aws.environment(emulator, SECRET),
        "NO_PROXY": ports.HOST,
        "TF_VAR_deployment": json.dumps(place),
        "TF_VAR_bucket_name": BUCKET,
    }
    terraform.run("init", "-input=false", "-no-color", folder=folder)
    options = ("-auto-approve", "-input=false", "-no-color", "-parallelism=20")
    with terraform.start("apply", *options, folder=folder, **variables) as process:
        yield process
        process.terminate()


@pytest.fixture(scope="module")
def applied(applying: "subprocess.Popen[str]", emulator: int) -> int:
    """The emulator's port, once the module is applied."""
    said, _ = applying.communicate()
    assert applying.returncode == 0, said
    return emulator


def test_everything_is_formatted(terraform: Terraform) -> None:
    terraform.run("fmt", "-check", "-recursive", "-diff", "-no-color")


def test_the_configuration_is_valid(terraform: Terraform) -> None:
    terraform.run("validate", "-no-color")


def test_terraform_s_own_tests_pass(terraform: Terraform) -> None:
    files = [f"tests/{module.name}.tftest.hcl" for module in (terraform.root / "modules").iterdir()]
    found = {str(file.relative_to(terraform.root)) for file in terraform.root.rglob("*.tftest.hcl")}
    assert found == {*files, "tests/deployment.tftest.hcl"}  # the last one is run by the fixture `deployment`
    said = terraform.run("test", "-no-color", *(f"-filter={file}" for file in files))
    assert [file for file in files if f"{file}... pass" not in said] == []


def test_every_module_pins_the_same_provider(terraform: Terraform) -> None:
    folders = [terraform.root, terraform.root / "tests" / "emulated", *(terraform.root / "modules").iterdir()]
    for folder in folders:
        text = "".join(file.read_text() for file in folder.glob("*.tf"))
        assert re.findall(r'source\s*=\s*"hashicorp/aws"\s+version\s*=\s*"(.*)"', text) == [PINNED], folder


@pytest.fixture(scope="module")
def checked(terraform: Terraform) -> dict[str, Any]:
    """What checkov found."""
    command = shutil.which("checkov")
    if command is None:
        missing("checkov is not on the PATH")
    arguments = ["--directory", ".", "--framework", "terraform", "--skip-download", "--output", "json"]
    said = subprocess.run(
        [command, *arguments], cwd=terraform.root, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    return dict(json.loads(said.stdout)["results"])


def test_checkov_finds_nothing_that_is_not_justified(checked: dict[str, Any]) -> None:
    assert len(checked["passed_checks"]) > 200
    assert [(one["check_id"], one["resource"]) for one in checked["failed_checks"]] == []


def test_every_exception_from_checkov_is_needed_and_has_a_reason(terraform: Terraform, checked: dict[str, Any]) -> None:
    written = {
        (file.relative_to(terraform.root), check): reason
        for file in terraform.root.rglob("*.tf")
        for check, reason in SKIP.findall(file.read_text())
    }
    used = {(Path(one["file_path"].lstrip("/")), one["check_id"]) for one in checked["skipped_checks"]}
    assert written.keys() == used
    assert [where for where, reason in written.items() if not reason.strip()] == []


def test_an_object_put_into_the_applied_bucket_reaches_its_queue(applied: int) -> None:
    sqs, s3 = aws._clients(applied, SECRET)
    for prefix, queue in topology.NOTIFICATIONS.items():
        put(s3, BUCKET, f"{prefix}anything/at all.json", prefix.encode(), "application/json")
        arrived: list[ObjectId] = []
        while not arrived:  # S3 sends a test event first
            answer = sqs.receive_message(QueueUrl=aws.queue_url(applied, queue), WaitTimeSeconds=20)
            arrived = [stored for message in answer["Messages"] for stored in created_objects(message["Body"])]
            for message in answer["Messages"]:
                sqs.delete_message(QueueUrl=aws.queue_url(applied, queue), ReceiptHandle=message["ReceiptHandle"])
        assert [stored.key for stored in arrived] == [f"{prefix}anything/at all.json"]
        assert arrived[0].version_id
        assert get(s3, arrived[0], limit=100).body == prefix.encode()


def test_workers_accept_the_applied_queues(applied: int) -> None:
    sqs, _ = aws._clients(applied, SECRET)
    for queue in topology.QUEUES:
        check_queue(sqs, aws.queue_url(applied, queue), queue)
