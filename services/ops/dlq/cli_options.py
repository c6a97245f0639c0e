"""The options by which dead letters are chosen, the same for all that is done with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from services.ops.cli import formatting, prompts
from services.ops.cli.output import out, say
from services.ops.queues.names import short_names

Ids = Annotated[list[str] | None, typer.Option("--id", help="its id, or the beginning of it; may be repeated")]
QueueName = Annotated[
    str | None, typer.Option("--queue", help="extract, bronze, uploads or silver", autocompletion=short_names)
]
Error = Annotated[str | None, typer.Option("--error", help="part of the error's type or message, in any case")]
Run = Annotated[str | None, typer.Option("--run", help="the run it belongs to")]
OlderThan = Annotated[str | None, typer.Option("--older-than", help="dead for longer than 30s, 15m, 2h or 1d")]
Contains = Annotated[str | None, typer.Option("--contains", help="text in the body")]


@contextmanager
def status_while_looking() -> Iterator[None]:
    """While dead letters are looked at."""
    prompts.stop_in_order()
    with out.status("looking at the dead letters"):
        yield


def say_unseen(unseen: int) -> None:
    """That there are more than were seen, if so."""
    if unseen:
        letters = formatting.counted(unseen, "dead letter")
        say(f"[yellow]{letters} more could not be seen[/yellow]: somebody else holds them just now")
