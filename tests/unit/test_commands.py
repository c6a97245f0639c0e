"""What every command has: an example that names it, JSON for programs, a question before it destroys anything."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import click
import pytest
import typer

from services.ops.main import Commands, app

WITHOUT_JSON = {
    "up": "stays in the foreground; detached it is `smelt status --json` and `smelt env --json` that tell",
    "down": "its exit code is the answer",
    "worker": "becomes the worker, which logs JSON",
    "datasets infer": "it writes a contract, which `smelt datasets show --json` reads",
    "datasets new": "it writes a contract, too",
}
ASK_FIRST = {"dlq replay", "dlq discard", "quarantine replay", "reprocess", "schedules remove"}


def commands(group: Any, *words: str) -> Iterator[tuple[str, Any]]:
    """{words: command} of those that do something; typer's classes are not click's."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "commands"):
            yield from commands(command, *words, name)
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands(typer.main.get_group(app)))
each_command = pytest.mark.parametrize("name", COMMANDS)


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


@each_command
def test_a_command_s_help_has_an_example_of_it(name: str) -> None:
    _, _, example = (COMMANDS[name].help or "").partition("Example: ")
    assert f"smelt {name}" in example


@each_command
def test_a_command_speaks_json_unless_it_is_known_not_to(name: str) -> None:
    assert ("--json" in options(name)) == (name not in WITHOUT_JSON)


@each_command
def test_a_command_asks_before_it_sends_or_destroys(name: str) -> None:
    assert ("--yes" in options(name)) == (name in ASK_FIRST)


@each_command
def test_a_name_of_a_dataset_can_be_completed(name: str) -> None:
    for parameter in COMMANDS[name].params:
        if parameter.name == "dataset":
            found = parameter.shell_complete(click.Context(COMMANDS[name]), "usa")
            assert {one.value for one in found} == {"usajobs_codes", "usajobs_historic", "usajobs_search"}


def test_the_overview_says_of_a_command_what_its_own_help_begins_with() -> None:
    for name, lazy in Commands.lazy_commands.items():
        first, _, _ = (lazy.load().help or "").partition("\n\n")
        assert " ".join(first.split()) == lazy.help, name


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_import_no_command(option: str) -> None:
    program = f"import sys; from services.ops.main import main; sys.argv[1:] = [{option!r}]; main()"
    imports = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], check=True, capture_output=True, text=True
    )
    assert "smelt" in imports.stdout
    assert not re.findall(r"\| +((?:boto3|celery|polars|sqlalchemy|structlog|redis|pydantic)\S*)", imports.stderr)
