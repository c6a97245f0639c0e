"""docs/add-a-dataset.md, followed to the letter in an empty folder, with a file loaded through the running stack."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg2
import pytest

from infra.embedded import stack
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.e2e

PAGE = (REPOSITORY / "docs" / "add-a-dataset.md").read_text()
FILES = dict(re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
OUTCOME = re.findall(r"^(    loaded, .*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)[0]  # of the upload
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

Run = Callable[[str], str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands as somebody types them in a shell, outside the project; each must succeed, but the upload."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{bare['PATH']}"
    environment = bare | {"SMELT_HOME": str(tmp_path / ".smelt"), "PATH": path}
    monkeypatch.setattr("os.environ", environment)

    def run(command: str) -> str:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value
            return ""
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        expected = 1 if command.startswith("smelt upload") else 0
        assert done.returncode == expected, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_the_page_does_what_it_says(run: Run, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    try:
        *before, uploading, looking = [line for block in COMMANDS for line in block.splitlines()]
        for line in before:
            run(line)
        said = run(uploading)
        for line in OUTCOME.splitlines():
            assert line.strip() in said
        assert "latitude_range" in run(looking)
        environment = stack.environment(tmp_path / ".smelt")
        with psycopg2.connect(environment["SMELT_DATABASE_URL"]) as connection, connection.cursor() as cursor:
            cursor.execute("select station, opened is null from silver.station order by station")
            assert cursor.fetchall() == [("KMDW", True), ("KORD", False)]
        connection.close()
        served = httpx.get(f"{environment['SMELT_SERVING_URL']}/v1/datasets/stations/rows?select=station")
        assert served.json()["rows"] == [{"station": "KMDW"}, {"station": "KORD"}]
    finally:
        stack.erase(tmp_path / ".smelt")
