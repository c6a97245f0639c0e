"""What tests of every level share."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import boto3
import pytest
from xdist.scheduler import LoadGroupScheduling

from infra.embedded import stack
from infra.embedded.options import Options
from tests.support import smelt_server

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"  # real pages, on the developers' machines only

SHARED_STACK = "deployment"  # a fixture of the session, in folders that have one

Smelt = Callable[..., "subprocess.CompletedProcess[str]"]


class ByFileOrGroup(LoadGroupScheduling):  # type: ignore[misc] # xdist is not typed
    """A file's tests on one worker, in the order of collection; those of all files of a group too."""

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFileOrGroup | None:
    return ByFileOrGroup(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that share a stack are a group, so that it starts once and not on every worker."""
    functions = [item for item in items if isinstance(item, pytest.Function)]
    sharing = {f.path for f in functions if SHARED_STACK in f.fixturenames and not hasattr(f.module, SHARED_STACK)}
    for function in functions:
        if function.path in sharing:
            function.add_marker(pytest.mark.xdist_group(function.path.parent.name))


def smelt_command(home: Path) -> Smelt:
    """The `smelt` command as a person has it, on the stack of `home`; gives what subprocess.run gives."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}

    def smelt(*arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [smelt_server.program(), *arguments],
            env=environment | {"SMELT_HOME": str(home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return smelt


@pytest.fixture(scope="session")
def real_search_page() -> bytes:
    """A page as the Search API sent it: 25 postings, half of them with 1,176 locations."""
    page = SHARED_DATA / "usajobs-search-page-2025-09-03.json.gz"
    if not page.exists():
        pytest.skip(f"needs the real page {page.name}, which is on the developers' machines only")
    return page.read_bytes()


@pytest.fixture(scope="session")
def backends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """The environment of a real Postgres, Valkey, queues and bucket, without workers; also set for this process."""
    home = tmp_path_factory.mktemp("backends") / ".smelt"
    running = stack.start(home, Options(workers=False, console=False, simulator_postings=300))
    before = dict(os.environ)
    os.environ.update(running.environment)
    boto3.setup_default_session()  # an old one keeps the credentials of another stack
    yield running.environment
    os.environ.clear()
    os.environ.update(before)
    boto3.setup_default_session()
    stack.erase(home)
