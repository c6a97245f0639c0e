"""`smelt dlq replay` and `smelt dlq discard`: shown, confirmed and recorded."""

import json
import time
from collections import Counter
from typing import Annotated

import typer

from services.ops.cli import formatting, prompts
from services.ops.cli.options import Dataset, DryRun, Json, Limit, Yes
from services.ops.cli.output import plain, say, say_json
from services.ops.cli.progress import advancing
from services.ops.connections import connect
from services.ops.dlq import actions, cli_options, cli_output, filters
from services.ops.dlq import patch as patches
from services.ops.dlq.actions import DeadLetterAction
from services.ops.dlq.cli_options import Contains, Error, Ids, OlderThan, QueueName, Run
from services.ops.dlq.replay import MAX_REPLAYS, Step
from services.ops.formatting import readable
from services.ops.operator_log import ActionResult
from services.ops.queues.names import short_names

UNCHANGED = "the others are unchanged"

Rate = Annotated[str | None, typer.Option("--rate", metavar="N/s", help="maximum messages per second")]
Patch = Annotated[
    str | None,
    typer.Option("--patch", metavar="FILE_OR_JSON", help="apply this JSON patch (RFC 6902) to each body"),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="send to this queue instead of the original one", autocompletion=short_names),
]
Force = Annotated[bool, typer.Option("--force", help=f"include letters already replayed {MAX_REPLAYS} times")]
Reason = Annotated[
    str, typer.Option("--reason", help="why they are not needed; stored with the copies and in the audit log")
]


def replay(  # noqa: PLR0913, PLR0917 - the options of a command
    ids: Ids = None,
    queue: QueueName = None,
    error: Error = None,
    dataset: Dataset = None,
    run: Run = None,
    older_than: OlderThan = None,
    contains: Contains = None,
    limit: Limit = None,
    rate: Rate = None,
    patch: Patch = None,
    to: To = None,
    force: Force = False,  # noqa: FBT002
    dry_run: DryRun = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Send dead letters back to the queue they came from.

    Each is sent, then deleted. If interrupted in between, a message may exist twice, which has no effect; none is lost.
    Operator, filter and numbers are recorded in ops.operator_action.

    Exit 0 if all were sent (or there were none), 1 if some were not, 2 without confirmation, 130 if interrupted.

    Example: smelt dlq replay --error TransientError --rate 5/s --dry-run
    """
    filter_ = filters.parse_filter(ids, queue, older_than, error=error, dataset=dataset, run=run, contains=contains)
    json_patch = patches.read(patch) if patch else None
    with cli_options.status_while_looking():
        action = actions.replay(connect(), filter_, limit, rate=rate, patch=json_patch, to=to, force=force)
    if not as_json:
        _say_action(action)
    if dry_run:
        if as_json:
            steps = [_step_json(step) for step in action.steps]
            say_json({"dry_run": True, "found": len(steps), "steps": steps})
        _exit_unless(not action.rejected)
        return
    if not action.letters:
        _say_result(None, 0, "sent", as_json=as_json)
        return
    prompts.confirm(f"Send {formatting.counted(action.total, 'dead letter')} again?", yes=yes or not action.total)
    with advancing("sent", action.total, UNCHANGED, shown=not as_json) as advance:
        result = action.work(advance)
    _say_result(result, len(action.letters), "sent", as_json=as_json)


def discard(  # noqa: PLR0913, PLR0917 - the options of a command
    reason: Reason,
    ids: Ids = None,
    queue: QueueName = None,
    error: Error = None,
    dataset: Dataset = None,
    run: Run = None,
    older_than: OlderThan = None,
    contains: Contains = None,
    limit: Limit = None,
    dry_run: DryRun = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Delete dead letters, keeping copies.

    Copies are stored in the bucket under discarded/ before anything is deleted; the action is recorded in
    ops.operator_action.

    Exit 0 if all were deleted (or there were none), 1 if some were not, 2 without confirmation, 130 if interrupted.

    Example: smelt dlq discard --contains uploads/test.json --reason "a test of ours"
    """
    filter_ = filters.parse_filter(ids, queue, older_than, error=error, dataset=dataset, run=run, contains=contains)
    with cli_options.status_while_looking():
        action = actions.discard(connect(), filter_, limit, reason)
    if not as_json:
        _say_action(action)
    if dry_run or not action.total:
        if as_json:
            say_json({"dry_run": dry_run, "found": action.total, "ids": [letter.id for letter in action.letters]})
        return
    prompts.confirm(f"Delete {formatting.counted(action.total, 'dead letter')}, keeping a copy?", yes=yes)
    with advancing("deleted", action.total, UNCHANGED, shown=not as_json) as advance:
        result = action.work(advance)
    _say_result(result, action.total, "deleted", as_json=as_json, copies=result.copies)


def _say_action(action: DeadLetterAction) -> None:
    """Print the selection, the target queues, the letters that are not sent, and the first patched body."""
    say(formatting.counted(len(action.letters), "dead letter"))
    now = time.time()
    for group in action.groups:
        cli_output.say_group(group, now, every=False)
    say()
    for target, going in action.targets.items():
        say(f"to [bold]{target}[/bold]: {formatting.counted(going, 'dead letter')}")
    _say_stays(action.rejected)
    if action.patched:
        say(f"patched: {len(action.patched):,}, the first one becomes")
        for line in readable(action.patched[0].patched or "").split("\n"):
            say(f"  {plain(line)}")
    cli_options.say_unseen(action.unseen)


def _say_result(
    result: ActionResult | None, matched: int, done: str, *, as_json: bool, copies: list[str] | None = None
) -> None:
    failed = result.failed if result else {}
    count = result.done if result else 0
    if as_json:
        copied = {} if copies is None else {"copies": copies}
        replay = result.identity if result else None
        say_json({"dry_run": False, "found": matched, done: count, "stays": failed, "replay": replay} | copied)
    elif result:
        say(f"{done}: {count:,} of {matched:,} (ops.operator_action {result.identity})")
        for key in copies or ():
            say(f"copies: {plain(key)}")
        _say_stays(Counter(failed.values()))
    _exit_unless(not failed)


def _say_stays(reasons: Counter[str]) -> None:
    for why, count in reasons.most_common():
        say(f"[yellow]stays[/yellow]: {formatting.counted(count, 'dead letter')}: {plain(why)}")


def _step_json(step: Step) -> dict[str, object]:
    body = json.loads(step.patched) if step.patched is not None else None
    return {"id": step.letter.id, "to": step.to.name, "rejected": step.rejected, "patched": body}


def _exit_unless(all_well: bool) -> None:  # noqa: FBT001
    if not all_well:
        raise typer.Exit(1)
