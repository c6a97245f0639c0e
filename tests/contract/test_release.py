"""A release: one version, shown everywhere; checks before changes; a bill of materials of what is locked."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import create_engine
from typer.testing import CliRunner

from services.extractor import fetch
from services.ops import main
from services.serving.api.rate_limit import RequestLimit
from services.serving.app import application
from shared import telemetry
from shared.version import VERSION

ROOT = Path(__file__).parents[2]
GIT = ["git", "-c", "user.name=Someone", "-c", "user.email=someone@example.org", "-c", "init.defaultBranch=main"]


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """With the tools of the Python that runs this, and nothing to be installed."""
    tools = folder.parent / "venv"
    tools.mkdir(exist_ok=True)
    if not (tools / "bin").exists():
        (tools / "bin").symlink_to(Path(sys.executable).parent)
    for stamp in ("ci", "dev"):
        (tools / stamp).touch()
    return subprocess.run(
        [shutil.which("make") or "make", "--no-print-directory", f"VENV={tools}", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "All of it"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    return folder


def test_the_version_is_that_of_the_project() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_command_says_its_version() -> None:
    assert CliRunner().invoke(main.app, ["--version"]).output == f"smelt {VERSION}\n"


def test_the_read_api_says_its_version() -> None:
    engine = create_engine("postgresql+psycopg2://")
    described = application(engine, engine, RequestLimit(60, None), ["localhost"]).openapi()
    assert described["info"]["version"] == VERSION


def test_the_extractor_says_its_version_to_a_source() -> None:
    with fetch.client() as http:
        assert http.headers["User-Agent"] == f"smelt/{VERSION}"


def test_traces_say_the_version_of_the_service() -> None:
    telemetry.configure("loader")
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    assert provider.resource.attributes["service.version"] == VERSION


def test_an_image_says_its_version() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "ARG VERSION" in dockerfile
    assert "org.opencontainers.image.version=$VERSION" in dockerfile
    assert "VERSION=${{ steps.name.outputs.version }}" in (ROOT / ".github/workflows/release.yml").read_text()


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc1", "01.2.3"])
def test_a_version_is_three_numbers(repository: Path, version: str) -> None:
    assert "which version?" in make(repository, "release", f"VERSION={version}").stderr


def test_a_release_is_made_on_main(repository: Path) -> None:
    subprocess.run([*GIT, "checkout", "-q", "-b", "elsewhere"], cwd=repository, check=True)
    assert "a release is made on main" in make(repository, "release", "VERSION=9.9.9").stderr


def test_a_release_has_nothing_that_is_not_committed(repository: Path) -> None:
    (repository / "forgotten").touch()
    assert "not committed" in make(repository, "release", "VERSION=9.9.9").stderr


def test_a_release_is_made_once(repository: Path) -> None:
    subprocess.run([*GIT, "tag", "v9.9.9"], cwd=repository, check=True)
    assert "v9.9.9 is there" in make(repository, "release", "VERSION=9.9.9").stderr


def test_a_release_whose_tests_fail_changes_nothing(repository: Path) -> None:
    (repository / "wrong.py").write_text("import  os\n")  # ruff is the first of the tests
    subprocess.run([*GIT, "add", "-A"], cwd=repository, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "Wrong"], cwd=repository, check=True)
    assert make(repository, "release", "VERSION=9.9.9").returncode != 0
    changed = subprocess.run([*GIT, "status", "--porcelain"], cwd=repository, check=True, capture_output=True)
    assert changed.stdout == b""


def test_the_notes_of_a_release_are_its_part_of_the_changelog(repository: Path) -> None:
    with (repository / "CHANGELOG.md").open("a") as changelog:
        changelog.write("\n## 9.9.10 (2030-01-02)\n\n- Ten.\n\n## 9.9.1 (2030-01-01)\n\n- One.\n")
    assert make(repository, "notes", "VERSION=9.9.1").stdout == "## 9.9.1 (2030-01-01)\n\n- One.\n"
    assert make(repository, "notes", "VERSION=9.9.2").returncode != 0


def test_every_fragment_is_of_a_kind_that_the_notes_have() -> None:
    kinds = [
        one["directory"] for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
    ]
    named = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    wrong = [name for name in named if not re.fullmatch(rf"(\d+|\+[\w-]+)\.({'|'.join(kinds)})\.md", name)]
    assert wrong == []


def test_the_bill_of_materials_has_what_is_locked(repository: Path) -> None:
    if not (Path(sys.executable).parent / "cyclonedx-py").exists():
        pytest.skip("NOT CHECKED: the SBOM: pip install -r requirements/ci.txt")
    made = make(repository, "sbom")
    assert made.returncode == 0, made.stderr
    for service in ("extractor", "transformer", "loader", "ops", "serving"):
        bill = json.loads((repository / "dist" / f"{service}.cdx.json").read_text())
        locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / f"{service}.txt").read_text(), re.MULTILINE)
        assert bill["bomFormat"] == "CycloneDX"
        assert {(one["name"], one["version"]) for one in bill["components"]} == set(locked)
