"""Commands that are imported when they are called: `smelt --help` needs only their names and one line about each."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class LazyCommand:
    """`target` is `module:attribute`, a function or a group of commands; `help` the first line of its help."""

    name: str
    target: str
    help: str

    def load(self) -> Any:
        """Import it."""
        module, _, attribute = self.target.partition(":")
        target: typer.Typer | Callable[..., Any] = getattr(import_module(module), attribute)
        command: Any = typer.main.get_group(target) if isinstance(target, typer.Typer) else _single(self.name, target)
        command.name = self.name
        return command


class LazyGroup(TyperGroup):  # click's types are private to typer
    """A group of commands, followed by its `lazy_commands`."""

    lazy_commands: ClassVar[dict[str, LazyCommand]] = {}
    _is_listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        return [*super().list_commands(ctx), *self.lazy_commands]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; while help is written, only its name and first line."""
        lazy = self.lazy_commands.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        return TyperCommand(lazy.name, help=lazy.help) if self._is_listing else lazy.load()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write help without importing a command."""
        self._is_listing = True
        super().format_help(ctx, formatter)


def _single(name: str, function: Callable[..., Any]) -> Any:
    app = typer.Typer(rich_markup_mode="rich", add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)
