"""What GitHub runs: pinned, with few rights, and calling nothing that is not here."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in FILES}
USES = re.compile(r"uses: (?P<what>\S+)(?P<comment>.*)")
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
VERSION = re.compile(r" # v\d+\.\d+\.\d+")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
IMAGES = set(re.findall(r"^FROM .* AS ([a-z-]+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
WRITES = {  # what may be written, and by which jobs; everything else may read at most
    "id-token": {"distribution", "images", "plan", "deploy"},
    "attestations": {"distribution", "images"},
    "packages": {"images"},
    "contents": {"publish"},
}


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every job with its name."""
    for workflow in WORKFLOWS.values():
        yield from workflow["jobs"].items()


def steps() -> Iterator[dict[str, Any]]:
    """Every step of every job."""
    for _, job in jobs():
        yield from job.get("steps", [])


def test_there_is_something_to_look_at() -> None:
    assert {"ci.yml", "release.yml", "deploy.yml"} <= set(WORKFLOWS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_commit_and_says_of_which_version_that_is(path: Path) -> None:
    used = [match for match in USES.finditer(path.read_text()) if not match["what"].startswith("./")]
    assert used
    assert [match[0] for match in used if not PINNED.fullmatch(match["what"])] == []
    assert [match[0] for match in used if not VERSION.fullmatch(match["comment"])] == []


def test_one_action_has_one_version() -> None:
    used = {match["what"] for path in FILES for match in USES.finditer(path.read_text())}
    names = [what.partition("@")[0] for what in used]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_starts_without_rights_and_each_job_says_what_it_needs(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}
    assert all("permissions" in job for job in WORKFLOWS[name]["jobs"].values())


def test_only_the_jobs_that_must_may_write() -> None:
    found: dict[str, set[str]] = {}
    for name, job in jobs():
        for scope, right in job["permissions"].items():
            if right == "write":
                found.setdefault(scope, set()).add(name)
    assert found == WRITES


def test_every_job_ends_within_a_time() -> None:
    assert [name for name, job in jobs() if "steps" in job and "timeout-minutes" not in job] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_two_runs_do_not_get_in_each_other_s_way(name: str) -> None:
    assert WORKFLOWS[name]["concurrency"]["group"]


def test_a_checkout_leaves_no_credentials_behind() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_no_script_is_made_of_what_a_stranger_can_choose() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_no_key_lasts() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"GITHUB_TOKEN"}


def test_every_make_target_is_there() -> None:
    scripts = [step["run"] for step in steps() if "run" in step] + [(ROOT / ".ci" / "run").read_text()]
    called = {target for script in scripts for target in re.findall(r"\bmake ([a-z-]+)", script)}
    assert {"test", "fault", "infra-check", "security"} <= called <= TARGETS


def test_every_script_of_ours_is_there_and_can_be_run() -> None:
    scripts = {found for step in steps() for found in re.findall(r"(\.github/[\w-]+)", step.get("run", ""))}
    assert scripts - {".github/workflows"}
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_every_image_is_built_and_scanned_and_those_that_are_released_are_verified_before_a_deployment() -> None:
    built = set(WORKFLOWS["ci.yml"]["jobs"]["images"]["strategy"]["matrix"]["target"])
    released = WORKFLOWS["release.yml"]["jobs"]["images"]["strategy"]["matrix"]["service"]
    assert built <= IMAGES
    assert built == set(released) | {"local"}
    verified = re.findall(r"for service in ([\w ]+); do", (ROOT / ".github/workflows/deploy.yml").read_text())
    assert verified == [" ".join(released)]


def test_the_versions_of_python_that_are_tested_begin_with_the_oldest_that_is_supported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tested = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert project["requires-python"] == f">={tested[0]}"
    assert tested == sorted(tested, key=lambda version: int(version.partition(".")[2]))


def test_terraform_is_of_one_version() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert len(set(re.findall(r"(?i)terraform_version: (\d[\d.]*)", text))) == 1
