"""The system in containers: it starts by one command, loses nothing when a loader dies, and stops in order."""

import http.client
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import yaml

from tests.compose.system import System, eventually
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]  # all images are built before the first test

SERVICES = {
    name
    for name, service in yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"].items()
    if "profiles" not in service
}
ONCE = "setup"
OPEN_POSTINGS = """
import json, os, urllib.request as r
headers = {"Authorization-Key": os.environ["SMELT_USAJOBS_API_KEY"], "User-Agent": "smoke@localhost.example"}
answer = r.urlopen(r.Request("http://127.0.0.1:8100/api/search?ResultsPerPage=1", headers=headers))
print(json.load(answer)["SearchResult"]["SearchResultCountAll"])
"""
CODES = json.dumps({"CodeList": [{"id": "Smoke", "ValidValue": [{"Code": "1", "Value": "one"}]}]})
OUTSIDE = Path(__file__).parent / "outside"
PACKAGE_UPLOADS = """
printf 'gauge,river,level_cm\\na,Elbe,150\\n' > /tmp/gauges.csv
printf 'page,at\\n/,2026-01-01T00:00:00Z\\n/,2026-01-01T00:00:00Z\\n' > /tmp/clicks.csv
smelt upload /tmp/gauges.csv gauges
smelt upload /tmp/clicks.csv clicks
"""
LOADER_WAITS = (
    "select count(*) from pg_stat_activity where application_name = 'smelt-loader' and wait_event_type = 'Lock'"
)


def test_one_command_starts_everything_and_all_is_well(system: System) -> None:
    expected = {(name, "running", "healthy") for name in SERVICES - {ONCE}} | {(ONCE, "exited")}
    assert system.states("{{.Service}} {{.State}} {{.Health}}") == expected


def test_the_console_shows_how_things_are_and_the_runbooks(system: System) -> None:
    port = system.environment["SMELT_CONSOLE_PORT"]
    _, session = fetch(port, "/?token=smelt-local")
    overview, _ = fetch(port, "/", session)
    assert "smelt-silver" in overview
    runbook, _ = fetch(port, "/runbooks/dead-letters", session)
    assert "smelt dlq list" in runbook


def test_the_search_page_is_there(system: System) -> None:
    page, _ = fetch(system.environment["SMELT_SERVING_PORT"], "/")
    assert page.startswith("<!doctype html>")


def test_a_dropped_file_becomes_rows(system: System) -> None:
    system.run(
        "run",
        "--rm",
        "--no-deps",
        "-T",
        "ops",
        "sh",
        "-euc",
        f"""
        printf %s '{CODES}' > /tmp/codes.json
        smelt upload /tmp/codes.json usajobs_codes
    """,
    )
    assert eventually(lambda: system.value("select value from silver.code where list_name = 'smoke'")) == "one"


def test_nothing_is_lost_when_a_loader_dies_at_work_and_two_go_on(system: System) -> None:
    with system.postings_locked():
        extraction = system.smelt("runs", "start", "usajobs_search", "--wait")
        eventually(lambda: system.value(LOADER_WAITS) != "0")
        offered = system.run("exec", "-T", "simulator", "python", "-c", OPEN_POSTINGS)
        system.run("exec", "-T", "loader", "sh", "-c", "kill -9 -1", check=False)
        eventually(lambda: system.restarts("loader") == 1)
        # Without its dependencies: `setup` audits and repairs, which nothing here may be in need of.
        system.up("--no-deps", "--no-recreate", "--scale", "loader=2", "loader")
    assert_well(extraction, "complete")
    assert system.value("select count(*) from silver.job") == offered.strip()
    assert_well(system.smelt("reconcile"), "nothing is missing")


def test_a_package_with_datasets_works_on_images_made_of_ours(system: System, tmp_path: Path) -> None:
    build = [
        str(Path(sys.executable).with_name("uv")),
        "build",
        "--quiet",
        "--wheel",
        "--out-dir",
        str(tmp_path),
        str(OUTSIDE),
    ]
    subprocess.run(build, check=True)
    shutil.copy(OUTSIDE / "Dockerfile", tmp_path)
    for image in sorted(set(images().values())):
        system.build_image(tmp_path, f"{image}-acme", IMAGE=image)
    override = tmp_path / "compose.yaml"
    changes = {name: {"image": f"{image}-acme", "pull_policy": "never"} for name, image in images().items()}
    override.write_text(yaml.safe_dump({"services": changes}))
    own = replace(system, environment={**system.environment, "COMPOSE_FILE": f"compose.yaml:{override}"})
    own.up("--no-build")
    own.run("run", "--rm", "--no-deps", "-T", "ops", "sh", "-euc", PACKAGE_UPLOADS)
    assert eventually(lambda: own.value("select level_m from silver.gauge where gauge = 'a'")) == "1.5"
    assert eventually(lambda: own.value("select count(*) from silver.click having count(*) > 0")) == "2"


def images() -> dict[str, str]:
    """{service: its image} of ours."""
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    return {name: service["image"] for name, service in services.items() if service["image"].startswith("smelt-")}


def test_everything_stops_in_order_and_in_time(system: System) -> None:
    system.run("stop")  # what has to be killed in the end exits with 137
    assert system.states("{{.Service}} {{.ExitCode}}") == {(name, "0") for name in SERVICES}


def assert_well(command: "subprocess.Popen[str]", word: str) -> None:
    """It ends with 0, and says so in this word."""
    with command:
        said, _ = command.communicate()
    assert (command.returncode, word in said) == (0, True), said


def fetch(port: str, path: str, cookie: str = "") -> tuple[str, str]:
    """A page, and the cookie that came with it."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=30)
    try:
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        page = answer.read().decode()
        assert answer.status < http.HTTPStatus.BAD_REQUEST, page
        jar = SimpleCookie(answer.getheader("Set-Cookie"))
        return page, "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
    finally:
        connection.close()
