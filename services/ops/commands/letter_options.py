"""The options by which dead letters are chosen, the same for all that is done with them."""

import time
from typing import Annotated

import typer

from services.ops import dead_letters, selection
from services.ops.commands import asking, words
from services.ops.commands.terminal import out, say
from services.ops.connections import Connections
from services.ops.dead_letters import DeadLetter, Survey
from services.ops.selection import Filter
from shared.datasets import contract
from shared.topology import QUEUES


def queue_names() -> list[str]:
    """For the shell's completion."""
    return [selection.short_name(queue) for queue in QUEUES]


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


def chosen(  # noqa: PLR0913, PLR0917 - the options of a command
    ids: list[str] | None,
    queue: str | None,
    error: str | None,
    dataset: str | None,
    run: str | None,
    older_than: str | None,
    contains: str | None,
) -> Filter:
    """What the options ask for. Raises PermanentError for what cannot be meant."""
    return Filter(
        ids=tuple(ids or ()),
        queue=selection.queue_called(queue) if queue else None,
        error=error,
        dataset=dataset,  # it may be the mistake that it is none of ours
        run=run,
        older_than=selection.seconds(older_than) if older_than else None,
        contains=contains,
    )


def find(connections: Connections, asked: Filter) -> tuple[list[DeadLetter], Survey]:
    """The dead letters meant, the oldest first, and all that were seen."""
    asking.stop_in_order()
    with out.status("looking at the dead letters"):
        survey = dead_letters.survey(connections, asked.queues)
    return asked.select(survey.letters, time.time()), survey


def say_unseen(survey: Survey) -> None:
    """That there are more than were seen, if so."""
    if survey.unseen:
        say(
            f"[yellow]{words.letters(survey.unseen)} more could not be seen[/yellow]: somebody else holds them just now"
        )
