"""`smelt quarantine`: listing and replaying rejected records."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table
from sqlalchemy import Row

from services.ops.cli import prompts
from services.ops.cli.options import Dataset, DryRun, Json, Limit, Yes
from services.ops.cli.output import out, plain, say, say_json
from services.ops.connections import connect
from services.ops.quarantine import entries
from services.ops.quarantine.entries import QuarantineFilter, QuarantineGroup
from shared.errors import PermanentError

MAX_ENTRIES = 1_000

quarantine_commands = typer.Typer(
    help="Records that were rejected: list them, and replay them after a fix.", no_args_is_help=True
)

Rule = Annotated[str | None, typer.Option("--rule", help="the first failed rule")]
Run = Annotated[str | None, typer.Option("--run", help="only records of this run")]
OlderThan = Annotated[str | None, typer.Option("--older-than", help="rejected more than 30s, 15m, 2h or 1d ago")]
Closed = Annotated[bool, typer.Option("--closed", help="include entries replayed or superseded")]
Each = Annotated[bool, typer.Option("--each", help="list single records, newest first, instead of groups")]


@quarantine_commands.command("list")
def list_entries(  # noqa: PLR0913, PLR0917 - the options of a command
    dataset: Dataset = None,
    rule: Rule = None,
    run: Run = None,
    older_than: OlderThan = None,
    limit: Limit = MAX_ENTRIES,
    closed: Closed = False,  # noqa: FBT002
    each: Each = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show rejected records by rule. Exit 0, whether there are any or not.

    Example: smelt quarantine list --older-than 1d
    """
    wanted = entries.parse_filter((), older_than, closed=closed, dataset=dataset, rule=rule, run=run)
    with connect().database.connect() as connection:
        if each:
            _say_entries(entries.find_entries(connection, wanted, limit or MAX_ENTRIES), as_json=as_json)
        else:
            _say_groups(entries.find_groups(connection, wanted), as_json=as_json)


@quarantine_commands.command()
def show(
    identity: Annotated[int, typer.Argument(metavar="ID", help="the id in `list --each`")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show one record with every failed rule, its source and its raw JSON. Exit 1 if it does not exist.

    Example: smelt quarantine show 17
    """
    with connect().database.connect() as connection:
        rows = entries.find_entries(connection, QuarantineFilter(ids=(identity,), closed=True), 1)
    if not rows:
        message = f"no entry {identity} in quarantine"
        raise PermanentError(message)
    if as_json:
        say_json(rows[0]._asdict())
    else:
        _say_entry(rows[0])


@quarantine_commands.command()
def replay(  # noqa: PLR0913, PLR0917 - the options of a command
    ids: Annotated[list[int] | None, typer.Option("--id", help="an entry's id; may be repeated")] = None,
    dataset: Dataset = None,
    rule: Rule = None,
    run: Run = None,
    older_than: OlderThan = None,
    limit: Limit = None,
    dry_run: DryRun = False,  # noqa: FBT002
    yes: Yes = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Send records through the transformer again, after a fix of a rule or normaliser.

    They keep their original observation time, so newer rows are not replaced. Entries close once their records are
    loaded; records that fail again get new entries. The action is recorded in ops.operator_action. Exit 0 if all were
    sent (or there were none), 1 if some are truncated, 2 without confirmation.

    Example: smelt quarantine replay --rule position_title_present --dry-run
    """
    wanted = entries.parse_filter(ids or (), older_than, dataset=dataset, rule=rule, run=run)
    prompts.stop_in_order()
    connections = connect()
    with connections.database.connect() as connection:
        whole, cut = entries.find_replayable(connection, wanted, limit)
    if whole and not dry_run:
        prompts.confirm(f"Replay {len(whole)} records?", yes=yes)
        entries.replay(connections, whole, wanted)
    _say_replay(whole, cut, dry_run=dry_run, as_json=as_json)
    if cut:
        raise typer.Exit(1)


def _say_groups(groups: list[QuarantineGroup], *, as_json: bool) -> None:
    if as_json:
        say_json([group.__dict__ for group in groups])
        return
    table = Table("dataset", "rule", "field", "open", "records", "last", "for example", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
        column.no_wrap = column.header in {"dataset", "rule"}  # for copying into the next command
        column.justify = "right" if column.header in {"open", "records"} else "left"
    for group in groups:
        table.add_row(
            plain(group.dataset),
            plain(group.rule),
            plain(group.field),
            f"{group.still_open:,}",
            f"{group.records:,}",
            f"{group.last_at:%m-%d %H:%M}",
            plain(group.message),
        )
    out.print(table) if groups else say("no records in quarantine")


def _say_entries(rows: Sequence[Row[Any]], *, as_json: bool) -> None:
    if as_json:
        say_json([row._asdict() for row in rows])
        return
    for row in rows:
        closed = f"  [green]{row.closed_as}[/green]" if row.closed_at else ""
        key = row.natural_key or f"record {row.record_index}"
        why = f"{plain(row.rule)} ({plain(row.field)}): {plain(row.message)}"
        say(f"{row.id:>6}  {row.dataset}  {plain(key)}  {why}{closed}")
    if not rows:
        say("no records in quarantine")


def _say_entry(row: Row[Any]) -> None:
    state = f"{row.closed_as} at {row.closed_at:%Y-%m-%d %H:%M:%S}" if row.closed_at else "open"
    say(f"entry {row.id} of {row.dataset}, {state}")
    for problem in row.problems:
        say(f"[red]{plain(problem['rule'])}[/red] {plain(problem['field'])}: {plain(problem['message'])}")
    say(f"key          {plain(row.natural_key or 'unknown')}")
    say(f"object       s3://{plain(row.bucket)}/{plain(row.key)}")
    say(f"             version {plain(row.version)}, record {row.record_index}")
    say(f"run          {row.run_id or 'none: an upload'}")
    say(f"seen         {row.observed_at:%Y-%m-%d %H:%M:%S}, transform version {row.transform_version}")
    say(plain_lines(json.dumps(json.loads(row.raw), indent=2)))


def plain_lines(text: str) -> str:
    """Multi-line untrusted text, escaped."""
    return "\n".join(plain(line) for line in text.splitlines())


def _say_replay(whole: list[int], cut: list[int], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        say_json({"dry_run": dry_run, "replayed": whole, "not_kept_whole": cut})
        return
    say(f"{'would replay' if dry_run else 'replayed'}: {len(whole)}")
    if cut:
        say(f"[yellow]truncated: {len(cut)}[/yellow], not replayed: see their source objects")
