"""`smelt dlq replay` and `smelt dlq discard`: what changes something, asked for, announced and recorded."""

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
from services.ops.dlq import cli_options, cli_output, filters, plans
from services.ops.dlq import patch as patches
from services.ops.dlq.cli_options import Contains, Error, Ids, OlderThan, QueueName, Run
from services.ops.dlq.plans import Plan
from services.ops.dlq.replay import MOST_REPLAYS, Step
from services.ops.formatting import readable
from services.ops.operator_log import ActionResult
from services.ops.queues.names import short_names

OTHERS = "the others are where they were"

Rate = Annotated[str | None, typer.Option("--rate", metavar="N/s", help="messages a second at most")]
Patch = Annotated[
    str | None,
    typer.Option("--patch", metavar="FILE_OR_JSON", help="change each body by this JSON patch (RFC 6902)"),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="another queue than it came from", autocompletion=short_names),
]
Force = Annotated[bool, typer.Option("--force", help=f"also what was replayed {MOST_REPLAYS} times already")]
Reason = Annotated[str, typer.Option("--reason", help="why nobody needs them; kept with the copies and on record")]


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
    """Send dead letters on their way again, to the queue they came from.

    Each is sent, then deleted: stopped in between, a message may be there twice, which has no effect, never lost.
    Who did it, what was meant and how many were sent is in ops.operator_action.

    Exit 0 if all were sent (or there were none), 1 if something stays, 2 if nobody could be asked, 130 if interrupted.

    Example: smelt dlq replay --error TransientError --rate 5/s --dry-run
    """
    asked = filters.parse_filter(ids, queue, older_than, error=error, dataset=dataset, run=run, contains=contains)
    mend = patches.read(patch) if patch else None
    with cli_options.status_while_looking():
        plan = plans.replay(connect(), asked, limit, rate=rate, patch=mend, to=to, force=force)
    if not as_json:
        _say_plan(plan)
    if dry_run:
        if as_json:
            steps = [_described(step) for step in plan.steps]
            say_json({"dry_run": True, "found": len(steps), "steps": steps})
        _exit_unless(not plan.refused)
        return
    if not plan.letters:
        _say_tally(None, 0, "sent", as_json=as_json)
        return
    prompts.confirm(f"Send {formatting.counted(plan.total, 'dead letter')} again?", yes=yes or not plan.total)
    with advancing("sent", plan.total, OTHERS, shown=not as_json) as advance:
        tally = plan.work(advance)
    _say_tally(tally, len(plan.letters), "sent", as_json=as_json)


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
    """Delete dead letters that nobody needs, keeping copies.

    The copies are in the bucket, below discarded/, before anything is deleted; the record is in ops.operator_action.

    Exit 0 if all are gone (or there were none), 1 if some stay, 2 if nobody could be asked, 130 if interrupted.

    Example: smelt dlq discard --contains uploads/test.json --reason "a test of ours"
    """
    asked = filters.parse_filter(ids, queue, older_than, error=error, dataset=dataset, run=run, contains=contains)
    with cli_options.status_while_looking():
        plan = plans.discard(connect(), asked, limit, reason)
    if not as_json:
        _say_plan(plan)
    if dry_run or not plan.total:
        if as_json:
            say_json({"dry_run": dry_run, "found": plan.total, "ids": [letter.id for letter in plan.letters]})
        return
    prompts.confirm(f"Delete {formatting.counted(plan.total, 'dead letter')}, keeping a copy?", yes=yes)
    with advancing("deleted", plan.total, OTHERS, shown=not as_json) as advance:
        tally = plan.work(advance)
    _say_tally(tally, plan.total, "deleted", as_json=as_json, copies=tally.copies)


def _say_plan(plan: Plan) -> None:
    """What is meant; what would be sent where, what would not and why, and the first body that a patch changes."""
    say(formatting.counted(len(plan.letters), "dead letter"))
    now = time.time()
    for group in plan.groups:
        cli_output.say_group(group, now, every=False)
    say()
    for target, going in plan.targets.items():
        say(f"to [bold]{target}[/bold]: {formatting.counted(going, 'dead letter')}")
    _say_stays(plan.refused)
    if plan.patched:
        say(f"patched: {len(plan.patched):,}, the first one becomes")
        for line in readable(plan.patched[0].patched or "").split("\n"):
            say(f"  {plain(line)}")
    cli_options.say_unseen(plan.unseen)


def _say_tally(
    tally: ActionResult | None, found: int, done: str, *, as_json: bool, copies: list[str] | None = None
) -> None:
    failed = tally.failed if tally else {}
    count = tally.done if tally else 0
    if as_json:
        copied = {} if copies is None else {"copies": copies}
        replay = tally.identity if tally else None
        say_json({"dry_run": False, "found": found, done: count, "stays": failed, "replay": replay} | copied)
    elif tally:
        say(f"{done}: {count:,} of {found:,} (ops.operator_action {tally.identity})")
        for key in copies or ():
            say(f"copies: {plain(key)}")
        _say_stays(Counter(failed.values()))
    _exit_unless(not failed)


def _say_stays(reasons: Counter[str]) -> None:
    for why, count in reasons.most_common():
        say(f"[yellow]stays[/yellow]: {formatting.counted(count, 'dead letter')}: {plain(why)}")


def _described(step: Step) -> dict[str, object]:
    body = json.loads(step.patched) if step.patched is not None else None
    return {"id": step.letter.id, "to": step.to.name, "refused": step.refused, "patched": body}


def _exit_unless(all_well: bool) -> None:  # noqa: FBT001
    if not all_well:
        raise typer.Exit(1)
