"""`smelt reconcile`: what the ledger lacks of what the bucket and the plans promise."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from services.ops import durations
from services.ops.cli.options import Json
from services.ops.cli.output import out, plain, say, say_json
from services.ops.connections import connect
from services.ops.reconcile import reconciliation as audits
from services.ops.reconcile.reconciliation import Missing

Repair = Annotated[bool, typer.Option("--repair", help="send exactly what is missing on its way again")]
Since = Annotated[str | None, typer.Option("--since", help="only what was stored or planned in the last 15m, 2h or 1d")]


def reconcile(
    repair: Repair = False,  # noqa: FBT002
    since: Since = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Compare the bucket with the ledger.

    What is under way at the moment counts as missing; sending it again is safe. A dead letter is
    not missing: it waits for you (smelt dlq list). Those that keep a run from being complete are
    named with their reason.

    A page that is in the bucket and cannot be read, by its source's own check, is named with the
    reason; --repair fetches it anew.

    With --since older objects and runs are left out. The bucket is listed whole all the same: S3
    lists by key, not by time. It shortens what is found, not the time it takes.

    While another process holds dead letters (a look of somebody else), nothing that they may stand
    for is called missing.

    Rows of child tables whose record is not there are counted by table: no foreign key keeps them
    from being left behind, the loader does.

    Exit 0 if nothing is missing, or all of it was sent again; 1 if something is missing, undecided or
    orphaned.

    Example: smelt reconcile --since 2d --repair
    """
    age = timedelta(seconds=durations.seconds(since)) if since else None
    connections = connect()
    with out.status("comparing the bucket with the ledger"):
        missing = audits.find_missing(connections, age)
    if as_json:
        say_json(asdict(missing))
    else:
        _say_missing(missing)
    if repair:
        sent = audits.repair(connections, missing)
        if not as_json:
            say(f"sent again: {sent}")
    if missing.undecided or missing.orphans or (missing.sendable and not repair):
        raise typer.Exit(1)


def _say_missing(missing: Missing) -> None:
    for stored in missing.objects:
        say(f"not loaded: {plain(stored.key)} (version {stored.version or 'newest'})")
    for page in missing.pages:
        say(f"never fetched: run {page.run_id}, part {page.part}, page {page.page} of {page.of}")
    for stuck in missing.stuck:
        where = f"run {stuck.page.run_id}, part {stuck.page.part}, page {stuck.page.page} of {stuck.page.of}"
        say(f"{stuck.state}: {where}{f' ({plain(stuck.key)})' if stuck.key else ''}: {plain(stuck.reason)}")
    if missing.undecided:
        say(
            f"undecided: {missing.undecided} objects or pages are not in the ledger; {missing.unseen} dead "
            "letters, which may stand for them, are held by another process just now: try again in a minute"
        )
    elif not missing.sendable:
        say("nothing is missing")
    for table, rows in missing.orphans.items():
        say(f"[red]orphaned[/red]: {rows:,} rows of silver.{table} whose record is not there: delete them")
