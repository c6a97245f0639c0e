"""`smelt dlq list` and `smelt dlq show`; `cli_actions` has replay and discard."""

import time
from typing import Annotated

import typer

from services.ops.cli import formatting
from services.ops.cli.options import Dataset, Json
from services.ops.cli.output import plain, say, say_json
from services.ops.connections import Connections, connect
from services.ops.dlq import actions, cli_actions, cli_options, cli_output, filters
from services.ops.dlq.cli_options import Contains, Error, Ids, OlderThan, QueueName, Run
from services.ops.dlq.dead_letters import DeadLetter
from services.ops.dlq.filters import DeadLetterFilter
from services.ops.dlq.object_state import state_of
from shared.errors import PermanentError

dlq_commands = typer.Typer(
    help="Dead letters: messages that could not be processed, with the reason.", no_args_is_help=True
)


@dlq_commands.command("list")
def list_(  # noqa: PLR0913, PLR0917 - the options of a command
    ids: Ids = None,
    queue: QueueName = None,
    error: Error = None,
    dataset: Dataset = None,
    run: Run = None,
    older_than: OlderThan = None,
    contains: Contains = None,
    every: Annotated[bool, typer.Option("--all", help="list every letter, not only the oldest of each reason")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show the dead letters, grouped by reason. Read-only.

    Exit 0, whether there are any or not; 1 if they could not be read.

    Example: smelt dlq list --queue bronze --error "no such object" --older-than 1h
    """
    filter_ = filters.parse_filter(ids, queue, older_than, error=error, dataset=dataset, run=run, contains=contains)
    with cli_options.status_while_looking():
        survey = actions.find(connect(), filter_)
    letters, groups, now = survey.letters, filters.grouped(survey.letters), time.time()
    if as_json:
        letters_json = [cli_output.to_json(letter, now) for letter in letters]
        groups_json = [cli_output.group_to_json(group, now) for group in groups]
        say_json({"dead_letters": letters_json, "groups": groups_json, "unseen": survey.unseen})
        return
    say(
        formatting.counted(len(letters), "dead letter")
        + (f", {formatting.counted(len(groups), 'reason')}" if letters else "")
    )
    for group in groups:
        cli_output.say_group(group, now, every=every)
    if letters:
        say(f"\n[dim]details      smelt dlq show {letters[0].id}[/dim]")
        say("[dim]send again   smelt dlq replay --dry-run, with the same options[/dim]")
    cli_options.say_unseen(survey.unseen)


@dlq_commands.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", help="a dead letter's id, or the beginning of it")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show one dead letter with its error, attempts, object, trace and body.

    Exit 1 if it does not exist.

    Example: smelt dlq show 5f2a91c0
    """
    connections = connect()
    letter = _only(connections, identity)
    now, stored = time.time(), {object_id: state_of(connections, object_id) for object_id in letter.objects}
    if as_json:
        states = {f"s3://{object_id.bucket}/{object_id.key}": state for object_id, state in stored.items()}
        say_json({**cli_output.to_json(letter, now), "stored": states})
        return
    cli_output.say_letter(letter, now, stored)
    say(f"\n[dim]send again   smelt dlq replay --id {letter.id}[/dim]")


dlq_commands.command()(cli_actions.replay)
dlq_commands.command()(cli_actions.discard)


def _only(connections: Connections, identity: str) -> DeadLetter:
    """The letter with this id. Raises PermanentError if there is none or more than one."""
    with cli_options.status_while_looking():
        survey = actions.find(connections, DeadLetterFilter(ids=(identity,)))
    letters = survey.letters
    if len(letters) == 1:
        return letters[0]
    if letters:
        message = (
            f"{len(letters)} dead letters begin with {plain(identity)}: {', '.join(letter.id for letter in letters)}"
        )
    else:
        elsewhere = f"; {formatting.counted(survey.unseen, 'dead letter')} could not be read" if survey.unseen else ""
        message = f"no dead letter {plain(identity)}{elsewhere}"
    raise PermanentError(message)
