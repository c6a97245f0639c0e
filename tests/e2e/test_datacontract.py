"""datacontract-cli, a tool that nobody here wrote, finds our contracts valid, and Postgres as they say."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from shared.datasets import registry
from tests.e2e.conftest import Deployment

TOOL = Path(sys.prefix) / "contracts" / "bin" / "datacontract"  # `make test-all` installs it

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.nightly,
    pytest.mark.skipif(not TOOL.exists(), reason="datacontract-cli is not installed: make test-all"),
]


def judged(*arguments: str, **variables: str) -> str:
    """What the tool says; it must be content."""
    command = [str(TOOL), *arguments]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("dataset", registry.names())
def test_a_contract_is_valid(dataset: str) -> None:
    assert "is valid" in judged("lint", str(registry.dataset(dataset).path))


@pytest.mark.parametrize("dataset", registry.names())
def test_postgres_has_what_a_contract_promises(dataset: str, deployment: Deployment, tmp_path: Path) -> None:
    address = urlsplit(deployment.environment["SMELT_DATABASE_URL"])
    content = yaml.safe_load(registry.dataset(dataset).path.read_text())
    server = {
        "server": "local",
        "type": "postgres",
        "host": address.hostname,
        "port": address.port,
        "database": address.path[1:],
        "schema": "silver",
    }
    path = tmp_path / f"{dataset}.odcs.yaml"
    path.write_text(yaml.safe_dump(content | {"servers": [server]}, sort_keys=False))
    credentials = {
        "DATACONTRACT_POSTGRES_USERNAME": address.username or "",
        "DATACONTRACT_POSTGRES_PASSWORD": address.password or "",
    }
    assert "is valid" in judged("test", str(path), "--server", "local", **credentials)
