"""The commands of `smelt` for the stack on this machine, registered as `smelt.commands`."""

import typer

from infra.embedded.cli.commands import down, env, status, up


def register(app: typer.Typer) -> None:
    """Add the commands to the `smelt` command."""
    for command in (up, down, status, env):
        app.command()(command)
