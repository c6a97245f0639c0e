"""`smelt reconcile`: finds what is in the bucket or in plans and not in the ledger."""

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

Repair = Annotated[bool, typer.Option("--repair", help="send again exactly what is missing")]
Since = Annotated[str | None, typer.Option("--since", help="only what was stored or planned in the last 15m, 2h or 1d")]


def reconcile(
    repair: Repair = False,  # noqa: FBT002
    since: Since = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Compare the bucket with the ledger.

    Messages in progress count as missing; sending them again is safe. Dead letters are not missing (smelt dlq list);
    those that keep a run from completing are listed with their reason.

    A page that is in the bucket but unreadable, or fails its source's check, is listed with the reason; --repair
    fetches it again.

    With --since, older objects and runs are ignored. The whole bucket is listed nevertheless, as S3 lists by key.

    While another process holds dead letters, nothing that they may be about is reported as missing.

    Child rows without their record are counted by table; no enforced foreign key prevents them.

    Exit 0 if nothing is missing, or all of it was sent again; 1 if something is missing, undecided or orphaned.

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
            "letters, which may be about them, are held by another process: try again in a minute"
        )
    elif not missing.sendable:
        say("nothing is missing")
    for table, rows in missing.orphans.items():
        say(f"[red]orphaned[/red]: {rows:,} rows of silver.{table} without their record: delete them")
