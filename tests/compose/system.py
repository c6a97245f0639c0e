"""The system of compose.yaml, as a project of its own beside whatever else runs."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.conftest import REPOSITORY

COMPOSE = {  # without what a person may have put beside compose.yaml
    "COMPOSE_PROJECT_NAME": "smelt-smoke",
    "COMPOSE_FILE": "compose.yaml",
    "COMPOSE_DISABLE_ENV_FILE": "1",
    "COMPOSE_ANSI": "never",
}
LOCK = "begin; lock table silver.job in exclusive mode;\n\\echo held\n"
T = TypeVar("T")


@dataclass(frozen=True)
class System:
    """`docker compose` on it."""

    docker: str
    environment: Mapping[str, str]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run it in the background; output and errors are one text."""
        return self._start("compose", *arguments)

    def run(self, *arguments: str, check: bool = True) -> str:
        """What it says; an exit code other than 0 fails the test with it."""
        with self.start(*arguments) as process:
            said, _ = process.communicate()
        assert process.returncode == 0 or not check, said[-5_000:]
        return said

    def up(self, *arguments: str) -> None:
        """Start it; where that fails, the containers' own words go with it."""
        with self.start("up", "--detach", "--wait", *arguments) as process:
            said, _ = process.communicate()
        assert process.returncode == 0, said[-5_000:] + self.run("logs", "--tail=20", "--no-color")

    def build_image(self, folder: Path, tag: str, **arguments: str) -> None:
        """Build an image of a folder with a Dockerfile."""
        options = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        with self._start("build", "--tag", tag, *options, str(folder)) as process:
            said, _ = process.communicate()
        assert process.returncode == 0, said[-5_000:]

    def restarts(self, service: str) -> int:
        """How often the engine has started the containers of a service again by itself."""
        containers = self.run("ps", "--quiet", service).split()
        with self._start("inspect", "--format", "{{.RestartCount}}", *containers) as process:
            said, _ = process.communicate()
        return sum(map(int, said.split()))

    def states(self, template: str) -> set[tuple[str, ...]]:
        """A line for every container of `up`, by a template of words such as `{{.Service}} {{.State}}`."""
        said = self.run("ps", "--all", "--format", template)
        return {tuple(line.split()) for line in said.splitlines()}

    def smelt(self, *arguments: str) -> "subprocess.Popen[str]":
        """An operator's command, in the background."""
        return self.start("run", "--rm", "--no-deps", "-T", "ops", "smelt", *arguments)

    def value(self, query: str) -> str:
        """What Postgres answers."""
        sql = ("psql", "--username=smelt", "--dbname=smelt", "--no-align", "--tuples-only", "--command", query)
        return self.run("exec", "-T", "postgres", *sql).strip()

    @contextmanager
    def postings_locked(self) -> Iterator[None]:
        """A loader waits in the middle of its transaction, until this ends."""
        with self.start("exec", "-T", "postgres", "psql", "--username=smelt", "--dbname=smelt", "--quiet") as locker:
            assert locker.stdin
            assert locker.stdout
            locker.stdin.write(LOCK)
            locker.stdin.flush()
            assert "held" in locker.stdout.readline()
            yield
            locker.stdin.close()

    def _start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.docker, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def environment_of(engine: Mapping[str, str]) -> dict[str, str]:
    """A project and ports that are not those of a system in use, and none of this shell's settings for one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "COMPOSE_", "OTEL_"))}
    ports = dict(zip(("SMELT_CONSOLE_PORT", "SMELT_SERVING_PORT"), map(str, _free_ports(2)), strict=True))
    return kept | dict(engine) | ports | COMPOSE


def eventually(look: Callable[[], T], seconds: float = 120) -> T:
    """The first thing that `look` finds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(1)
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports
