"""docs/add-a-dataset.md and docs/quickstart.md, followed to the letter in an empty folder, each with its own stack."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest

from infra.embedded import stack
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.e2e

Run = Callable[..., str]


@dataclass(frozen=True)
class Page:
    """A page with files, commands, and what an upload says."""

    files: Mapping[str, str]
    commands: Sequence[str]
    outcome: str


def page(name: str, folder: Path) -> Page:
    """The page, once its files are in the folder."""
    text = (REPOSITORY / "docs" / name).read_text()
    files = dict(re.findall(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    for file, content in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(content)
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (outcome,) = re.findall(r"^(    loaded.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    return Page(files, [line for block in blocks for line in block.splitlines()], outcome)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands as somebody types them in a shell, outside the project."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{bare['PATH']}"
    environment = bare | {"SMELT_HOME": str(tmp_path / ".smelt"), "PATH": path}
    monkeypatch.setattr("os.environ", environment)

    def run(command: str, code: int = 0) -> str:
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
        assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_a_dataset_is_added_as_the_page_says(run: Run, tmp_path: Path) -> None:
    written = page("add-a-dataset.md", tmp_path)
    try:
        *before, uploading, looking = written.commands
        for line in before:
            run(line)
        assert_says(written.outcome, run(uploading, code=1))
        assert "latitude_range" in run(looking)
        assert rows(tmp_path, "select station, opened is null from silver.station order by station") == [
            ("KMDW", True),
            ("KORD", False),
        ]
        url = stack.environment(tmp_path / ".smelt")["SMELT_SERVING_URL"]
        served = httpx.get(f"{url}/v1/datasets/stations/rows?select=station")
        assert served.json()["rows"] == [{"station": "KMDW"}, {"station": "KORD"}]
    finally:
        stack.erase(tmp_path / ".smelt")


def test_a_file_is_in_postgres_as_the_quickstart_says(run: Run, tmp_path: Path) -> None:
    written = page("quickstart.md", tmp_path)
    try:
        *before, uploading, environment, query, looking = written.commands
        for line in before:
            run(line)
        assert_says(written.outcome, run(uploading))
        assert environment == 'eval "$(smelt env)"'
        (sql,) = re.findall(r'--command "(.*)"$', query)
        assert [row[0] for row in rows(tmp_path, sql)] == ["A-1", "A-2", "A-3"]
        assert "uploads/sales/sales.csv" in run(looking)
    finally:
        stack.erase(tmp_path / ".smelt")


def assert_says(lines: str, output: str) -> None:
    for line in lines.splitlines():
        assert line.strip() in output


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    url = stack.environment(folder / ".smelt")["SMELT_DATABASE_URL"]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()
