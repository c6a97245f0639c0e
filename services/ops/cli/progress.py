"""A progress bar for long actions, with a summary when interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.ops.cli import prompts
from services.ops.cli.output import out
from services.ops.operator_log import OnProgress


@contextmanager
def advancing(done: str, total: int, rest: str, *, shown: bool) -> Iterator[OnProgress]:
    """Context manager with a callback that advances the bar. Ctrl-C prints the progress and exits with 130."""
    count = 0
    columns = (TextColumn(done), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True, disable=not (shown and out.is_terminal)) as progress:
        task = progress.add_task(done, total=total)

        def advance(number: int) -> None:
            nonlocal count
            count += number
            progress.advance(task, number)

        try:
            yield advance
        except KeyboardInterrupt:
            progress.stop()
            typer.echo(f"smelt: interrupted: {count} of {total} {done}, {rest}", err=True)
            raise typer.Exit(prompts.INTERRUPTED) from None
