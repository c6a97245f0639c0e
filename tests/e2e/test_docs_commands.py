"""Each command of README and runbooks is right: it runs or, where that takes AWS or an engine, what it names exists."""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import botocore.session
import pytest
import yaml
from botocore import xform_name

from infra.embedded import stack
from tests.conftest import REPOSITORY, smelt_command
from tests.e2e.conftest import Deployment, run_outcome
from tests.e2e.docs_commands import PAGES, Written, commands
from tests.support import smelt_server

pytestmark = pytest.mark.e2e

# Not run as they stand, and why; the test that each such kind has looks at what can be looked at without running it.
MAKE = r"make "  # minutes, and this very test is part of one: `make --dry-run` knows the target and its parameters
DOCKER = r"docker compose "  # an engine and images: `make compose-smoke`; here, whether the services exist
AWS = r"(read -rs key && )?aws "  # an account: here, whether the operation has these options
TERRAFORM = r"terraform "  # an account
REAL_KEY = r"SMELT_USAJOBS_API_KEY=…"  # a key of the real source: what follows it is run without
FORM = r".*…"  # the beginning of a command: its help names it and its options
UP_OR_DOWN = r"smelt (up|down)\b"  # on a stack of its own, at the end
PSQL = r"psql "  # is not everywhere: the same question through the driver
BENCH = r"python -m bench\."  # minutes: its help names its options
ELSEWHERE = (BENCH, MAKE, DOCKER, AWS, TERRAFORM, REAL_KEY, FORM, UP_OR_DOWN, PSQL, "select ")

FOREVER = ("--watch", "smelt top", "smelt logs loader -f", "services.serving")  # until somebody ends them
LIMITED = "timeout --signal=INT 12"  # s that those are left to go on
ENDED = {0, 124, 130}
# Commands that say how things are by how they end: not all is well with a stack that has dead letters.
VERDICTS = {"smelt check": {0, 1, 2, 3}, "smelt reconcile": {0, 1}}
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
NOT_UNDERSTOOD = ("Usage:", "No such option", "No such command", "Traceback", "command not found")


@dataclass(frozen=True)
class Reader:
    """Somebody at a shell, with the words that the documentation leaves open."""

    home: Path
    words: Mapping[str, str]

    def types(self, command: str) -> str:
        """What is said, on a terminal; the command must be understood and end as it should."""
        for word, meaning in self.words.items():
            command = re.sub(rf"(?<![A-Z_$-]){word}\b(?!=)", meaning, command)
        if "LETTER" in command:
            command = command.replace("LETTER", self._letter())
        lasting = any(part in command for part in FOREVER)
        code, said = self._run(re.sub(r"(smelt|python) (?!env)", rf"{LIMITED} \1 ", command) if lasting else command)
        assert command.endswith("--help") or not any(part in said for part in NOT_UNDERSTOOD), said
        allowed = next((codes for name, codes in VERDICTS.items() if command.startswith(name)), {0})
        assert code in (ENDED if lasting else allowed), said
        return said

    def _letter(self) -> str:
        """The id of a dead letter. One is made: commands before may have sent the others again, or discarded them."""
        deployment = Deployment(self.home, smelt_command(self.home), stack.environment(self.home))
        deployment.upload("dead.json", b"not JSON")
        letters = deployment.eventually(lambda: listed(deployment))
        return str(letters[0]["id"])

    def _run(self, command: str) -> tuple[int, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
        path = f"{smelt_server.program().parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        port = {"SMELT_SERVING_PORT": "0"} if "services.serving" in command else {}  # the stack's own has the usual one
        mine, theirs = pty.openpty()
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.home.parent,
            env=kept | {"SMELT_HOME": str(self.home), "PATH": path, "COLUMNS": "160"} | port,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as shell:
            os.close(theirs)
            asked = b""
            while some := _read(mine):
                asked += some
                if asked.endswith(b"]: "):  # a question that wants a yes
                    os.write(mine, b"y\n")
            os.close(mine)
        return shell.returncode, COLOURS.sub("", asked.decode(errors="replace"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return b""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """At a stack with all that the runbooks are about: a run, a row, dead letters, rejected records, a schedule."""
    folder = tmp_path_factory.mktemp("reader")
    home, smelt = folder / ".smelt", smelt_command(folder / ".smelt")
    started = smelt("up", "--detach", "--no-first-run", "--records", "300")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        yield Reader(home, words(Deployment(home, smelt, stack.environment(home)), folder))
    finally:
        stack.erase(home)


def words(deployment: Deployment, folder: Path) -> dict[str, str]:
    """{placeholder: what a reader at this stack would write}."""
    page = b'{"SearchResult": {"SearchResultItems": [{"MatchedObjectId": "77", "MatchedObjectDescriptor": {}}]}}'
    (folder / "page.json.gz").write_bytes(b'{"SearchResult": {"SearchResultItems": []}}')
    run = run_outcome(deployment.smelt, "usajobs_search")["run"]
    key = deployment.upload("rejected.json", page)
    rejected = "select id, rule from ops.quarantine where key = %s"
    (entry,) = deployment.eventually(lambda: deployment.rows(rejected, key))
    added = deployment.smelt("schedules", "add", "daily", "usajobs_search", "cron(0 7 * * ? *)")
    assert added.returncode == 0, added.stderr
    (row,) = deployment.rows("select control_number from silver.job order by 1 limit 1")
    return {
        "RUN": run["run_id"],
        "KEY": str(row["control_number"]),
        "CONTROL_NUMBER": str(row["control_number"]),
        "DATASET": "usajobs_search",
        "NAME": "daily",
        "RULE": entry["rule"],
        "quarantine show ID": f"quarantine show {entry['id']}",
        "runs show ID": f"runs show {run['run_id']}",
        "ID": "LETTER",
    }


def listed(deployment: Deployment) -> list[dict[str, str]]:
    """Dead letters, of whatever queue."""
    letters: list[dict[str, str]] = json.loads(deployment.smelt("dlq", "list", "--json").stdout)["dead_letters"]
    return letters


def runnable() -> list[Written]:
    """Each once, under the page that has it first."""
    found = {one.command: one for one in reversed(commands())}
    return [one for one in found.values() if not any(re.match(kind, one.command) for kind in ELSEWHERE)][::-1]


def of_kind(kind: str) -> list[Written]:
    return [one for one in commands() if re.match(kind, one.command)]


@pytest.mark.parametrize("written", runnable(), ids=lambda written: written.name)
def test_a_command_does_what_the_page_says(written: Written, reader: Reader) -> None:
    reader.types(written.command)


@pytest.mark.parametrize("written", of_kind(MAKE), ids=lambda written: written.name)
def test_make_knows_the_target(written: Written) -> None:
    known = subprocess.run(
        [*shlex.split(written.command), "--dry-run"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert known.returncode == 0, known.stderr


@pytest.mark.parametrize("written", of_kind(BENCH), ids=lambda written: written.name)
def test_a_benchmark_has_its_options(written: Written) -> None:
    program, *options = written.command.removeprefix("python ").split(" --")
    told = subprocess.run(
        [sys.executable, *program.split(), "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert all(f"--{option.split()[0]}" in told.stdout for option in options)


@pytest.mark.parametrize("written", of_kind(DOCKER), ids=lambda written: written.name)
def test_compose_has_the_services(written: Written) -> None:
    services = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]
    named = re.findall(r"--scale (\w+)=|--rm (\w+) ", written.command)
    assert {name for pair in named for name in pair if name} <= set(services)
    assert re.match(r"docker compose (up|down|run)\b", written.command)


@pytest.mark.parametrize("written", of_kind(AWS), ids=lambda written: written.name)
def test_aws_has_the_operation_and_its_options(written: Written) -> None:
    service, operation, *_ = written.command.partition("aws ")[2].split()
    model = botocore.session.get_session().get_service_model(service)
    (shape,) = (model.operation_model(name) for name in model.operation_names if xform_name(name, "-") == operation)
    members = {xform_name(name, "-") for name in shape.input_shape.members} if shape.input_shape else set()
    asked = re.findall(r" --([a-z-]+)", re.sub(r"\$\([^)]*\)", "", written.command))
    assert asked
    assert {option.removeprefix("no-") for option in asked} <= members


@pytest.mark.parametrize("written", of_kind(TERRAFORM), ids=lambda written: written.name)
def test_terraform_has_the_command_and_its_variables(written: Written) -> None:
    code = "".join(file.read_text() for file in (REPOSITORY / "infra" / "terraform").glob("*.tf"))
    assert written.command.split()[1] in {"apply", "init", "output", "plan"}
    for name in re.findall(r"-var (\w+)=", written.command):
        assert f'variable "{name}"' in code


@pytest.mark.parametrize("written", of_kind(r"(?!SMELT_).*smelt .*…"), ids=lambda written: written.name)
def test_the_beginning_of_a_command_is_one(written: Written, reader: Reader) -> None:
    begun = written.command.partition("…")[0].split()
    options = [word for word in begun if word.startswith("--")]
    help_text = reader.types(" ".join(word for word in begun if not word.startswith("--")) + " --help")
    assert all(option in help_text for option in options)


def test_the_question_of_the_readme_has_an_answer(reader: Reader) -> None:
    (written,) = of_kind("select ")
    deployment = Deployment(reader.home, smelt_command(reader.home), stack.environment(reader.home))
    assert isinstance(deployment.rows(written.command.rstrip(";").replace("%", "%%")), list)


def test_the_stack_goes_down_and_up_as_written(tmp_path: Path) -> None:
    reader = Reader(tmp_path / ".smelt", {})
    try:
        for command in dict.fromkeys(one.command for one in of_kind(r"smelt up\b")):
            reader.types(command.replace("smelt up", "smelt up --detach --no-first-run --records 10").replace("…", ""))
            for down in dict.fromkeys(one.command for one in of_kind(r"smelt down\b")):
                reader.types(down)
    finally:
        stack.erase(tmp_path / ".smelt")


def test_nothing_is_left_out() -> None:
    elsewhere = {one.command for kind in ELSEWHERE for one in of_kind(kind)}
    assert elsewhere | {one.command for one in runnable()} == {one.command for one in commands()}
    assert len(runnable()) > 40
    assert {one.page for one in commands()} == set(PAGES)
