"""Filter options of the dlq commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from services.ops.cli import formatting, prompts
from services.ops.cli.output import out, say
from services.ops.queues.names import short_names

Ids = Annotated[list[str] | None, typer.Option("--id", help="id or its beginning; may be repeated")]
QueueName = Annotated[
    str | None, typer.Option("--queue", help="extract, bronze, uploads or silver", autocompletion=short_names)
]
Error = Annotated[str | None, typer.Option("--error", help="part of the error's type or message, in any case")]
Run = Annotated[str | None, typer.Option("--run", help="the run it belongs to")]
OlderThan = Annotated[str | None, typer.Option("--older-than", help="dead for longer than 30s, 15m, 2h or 1d")]
Contains = Annotated[str | None, typer.Option("--contains", help="text in the body")]


@contextmanager
def status_while_looking() -> Iterator[None]:
    """Show a status while dead letters are read."""
    prompts.stop_in_order()
    with out.status("reading dead letters"):
        yield


def say_unseen(unseen: int) -> None:
    """Print the number of letters that could not be read, if any."""
    if unseen:
        letters = formatting.counted(unseen, "dead letter")
        say(f"[yellow]{letters} more could not be read[/yellow]: another process holds them at the moment")
