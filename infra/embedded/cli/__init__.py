"""The commands of `smelt` for the stack on this machine, registered as `smelt.commands`."""

import typer

from infra.embedded.cli.commands import down, env, restart, status, up
from infra.embedded.cli.logs import logs


def register(app: typer.Typer) -> None:
    """Add the commands to the `smelt` command."""
    for command in (up, down, status, restart, logs, env):
        app.command()(command)
