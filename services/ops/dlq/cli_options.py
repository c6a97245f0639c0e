"""The options by which dead letters are chosen, the same for all that is done with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from services.ops.cli import formatting, prompts
from services.ops.cli.output import out, say
from services.ops.dlq import filters
from shared.config.topology import QUEUES
from shared.datasets import contract


def queue_names() -> list[str]:
    """For the shell's completion."""
    return [filters.short_name(queue) for queue in QUEUES]


Ids = Annotated[list[str] | None, typer.Option("--id", help="its id, or the beginning of it; may be repeated")]
QueueName = Annotated[
    str | None, typer.Option("--queue", help="extract, bronze, uploads or silver", autocompletion=queue_names)
]
Error = Annotated[str | None, typer.Option("--error", help="part of the error's type or message, in any case")]
Dataset = Annotated[
    str | None, typer.Option("--dataset", help="the dataset it is about", autocompletion=contract.names)
]
Run = Annotated[str | None, typer.Option("--run", help="the run it belongs to")]
OlderThan = Annotated[str | None, typer.Option("--older-than", help="dead for longer than 30s, 15m, 2h or 1d")]
Contains = Annotated[str | None, typer.Option("--contains", help="text in the body")]

Limit = Annotated[int | None, typer.Option("--limit", min=1, help="so many at most, the oldest first")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object")]


@contextmanager
def looking() -> Iterator[None]:
    """While dead letters are looked at."""
    prompts.stop_in_order()
    with out.status("looking at the dead letters"):
        yield


def say_unseen(unseen: int) -> None:
    """That there are more than were seen, if so."""
    if unseen:
        say(f"[yellow]{formatting.letters(unseen)} more could not be seen[/yellow]: somebody else holds them just now")
