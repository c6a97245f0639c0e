"""Terraform on a copy of `infra/terraform`, so that nothing is left in the repository."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from infra.embedded import ports
from tests.support.eventually import eventually

HERE = Path(__file__).parent
ACCOUNT, REGION = "111122223333", "us-east-1"
SOURCE = Path(__file__).parents[2] / "infra" / "terraform"
REQUIRED = "SMELT_REQUIRE_TERRAFORM"  # where it is 1, a tool that is not there is a failure
NO_FILES = {"dev", "proc", "sys"}


@dataclass(frozen=True)
class Terraform:
    """The command, on the copy in `root`."""

    command: str
    root: Path
    environment: dict[str, str]

    def start(self, *arguments: str, folder: Path | None = None, **variables: str) -> "subprocess.Popen[str]":
        """Run it in the background; output and errors are one text."""
        return subprocess.Popen(
            [self.command, *arguments],
            cwd=folder or self.root,
            env=self.environment | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, folder: Path | None = None, **variables: str) -> str:
        """Run it and return what it says; an exit code other than 0 fails the test with it."""
        process = self.start(*arguments, folder=folder, **variables)
        said, _ = process.communicate()
        assert process.returncode == 0, said
        return said


def missing(what: str) -> NoReturn:
    """Skip loudly, or fail where the tools must be there."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(what)
    pytest.skip(f"NOT CHECKED: {what} (with {REQUIRED}=1 this is a failure)")


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform with its provider: from the machine's own configuration, a mirror on this machine, or the registry."""
    command = shutil.which("terraform")
    if command is None:
        missing("terraform is not on this machine")
    root = tmp_path_factory.mktemp("terraform") / "terraform"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns(".terraform*"))
    ready = Terraform(command, root, os.environ | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "NO_COLOR": "1"})
    ready.environment.update(_configuration(root.parent))
    initialised = ready.start("init", "-backend=false", "-input=false", "-no-color")
    said, _ = initialised.communicate()
    if initialised.returncode:
        missing(f"terraform cannot get its provider: {said.strip()[-500:]}")
    return ready


def _configuration(folder: Path) -> dict[str, str]:
    if Path(os.environ.get("TF_CLI_CONFIG_FILE", folder / "none")).is_file():
        return {}
    file = folder / "terraformrc"
    methods = [f'filesystem_mirror {{ path = "{mirror}" }}' for mirror in _mirrors()] or ["direct {}"]
    file.write_text("provider_installation {{\n  {}\n}}\n".format("\n  ".join(methods)))
    return {"TF_CLI_CONFIG_FILE": str(file)}


def _mirrors() -> Iterator[Path]:
    """Where this machine's image keeps a mirror of providers: a folder of registries in one of the root's folders."""
    for top in Path("/").iterdir():
        if top.name not in NO_FILES:
            yield from (found.parents[2] for found in top.glob("*/*/hashicorp/aws"))


@dataclass(frozen=True)
class Moto:
    """A server of moto that has nothing yet."""

    address: str
    log: Path
    engine_versions: Path  # JSON: {engine: the version that AWS has moved it on to}

    @property
    def access(self) -> dict[str, str]:
        """The environment of who takes it for AWS."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "moto",
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": ports.HOST,
        }


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """For as long as the tests of a module."""
    port, folder = ports.choose({})["aws"], tmp_path_factory.mktemp("moto")
    server = Moto(f"http://{ports.HOST}:{port}", folder / "log", folder / "engine-versions")
    own = os.environ | {
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # some roles have one
        "SMELT_MOTO_ENGINE_VERSIONS": str(server.engine_versions),
    }
    command = [sys.executable, str(HERE / "moto_server.py"), str(port)]
    with server.log.open("w") as output, subprocess.Popen(command, env=own, stdout=output, stderr=output) as process:
        eventually(lambda: ports.accepts(port))
        yield server
        process.kill()


class Deployment:
    """Everything that a deployment with default options consists of, as a mock of AWS was asked for it."""

    def __init__(self, state: dict[str, Any]) -> None:
        resources = list(_resources(state["root_module"]))
        self._resources = {one["address"]: one["values"] for one in resources}
        self.dependencies = {_without_index(one["address"]): set(one.get("depends_on", [])) for one in resources}
        """{resource: what it waits for, directly or not}, without the keys of instances."""

    def one(self, address: str) -> dict[str, Any]:
        """The values of one resource."""
        return self._resources[address]

    def all(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Address and values of every resource of a kind."""
        return ((address, values) for address, values in self._resources.items() if f".{kind}." in f".{address}")

    def statements(self, address: str) -> list[dict[str, Any]]:
        """The statements of a resource's policy."""
        return list(json.loads(self.one(address)["policy"])["Statement"])

    def container(self, service: str, name: str) -> dict[str, Any]:
        """A container of a service's task definition."""
        task = self.one(f'module.compute.aws_ecs_task_definition.service["{service}"]')
        return next(one for one in json.loads(task["container_definitions"]) if one["name"] == name)


@pytest.fixture(scope="session")
def deployment(terraform: Terraform) -> Deployment:
    """From the first run of tests/deployment.tftest.hcl."""
    said = terraform.run("test", "-json", "-verbose", "-filter=tests/deployment.tftest.hcl")
    lines = (json.loads(line) for line in said.splitlines())
    return Deployment(next(line["test_state"] for line in lines if line["type"] == "test_state"))


def _without_index(address: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", address)


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)
