"""An engine with the images that are not ours, and the system of compose.yaml on it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import NoReturn

import pytest

from tests.compose.private_engine import BASE, STAND_INS, NoEngineError, private_engine
from tests.compose.system import System, environment_of

ASKED = "SMELT_COMPOSE_SMOKE"
REQUIRED = "SMELT_REQUIRE_COMPOSE"  # where it is 1, a machine without an engine is a failure


def missing(what: str) -> NoReturn:
    """Skip loudly, or fail where an engine must be there."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(what)
    pytest.skip(f"NOT CHECKED: {what} (with {REQUIRED}=1 this is a failure)")


def running_engine() -> Mapping[str, str]:
    """The engine that answers here, once it has the images. Raises NoEngineError."""
    ask("version")
    ask("compose", "version")
    for image in (os.environ.get("BASE", BASE), *STAND_INS.values()):
        try:
            ask("image", "inspect", image)
        except NoEngineError:
            ask("pull", image)
    return {}


def ask(*arguments: str) -> None:
    """Ask the engine. Raises NoEngineError with what it says."""
    docker = shutil.which("docker")
    if docker is None:
        message = "there is no docker command"
        raise NoEngineError(message)
    told = subprocess.run([docker, *arguments], capture_output=True, text=True, check=False)
    if told.returncode:
        message = f"docker {' '.join(arguments)}: {told.stderr.strip()[-300:]}"
        raise NoEngineError(message)


@pytest.fixture(scope="session")
def engine() -> Iterator[Mapping[str, str]]:
    """The environment that leads to an engine: the machine's, or else one for as long as this takes."""
    if os.environ.get(ASKED) != "1":
        pytest.skip("minutes of building images: `make compose-smoke`")
    with ExitStack() as private:
        try:
            environment = running_engine()
        except NoEngineError as first:
            try:
                environment = private.enter_context(private_engine())
            except NoEngineError as second:
                missing(f"{first}; {second}")
        yield environment


@pytest.fixture(scope="session")
def system(engine: Mapping[str, str]) -> Iterator[System]:
    """Everything that one command starts."""
    system = System(str(shutil.which("docker")), environment_of(engine))
    try:
        system.up("--build")
        yield system
    finally:
        system.run("down", "--volumes", "--remove-orphans")
