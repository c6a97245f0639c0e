"""`smelt schedules`: which runs the clock starts, and whether it did."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from services.ops.cli import formatting
from services.ops.cli.options import Json, Yes
from services.ops.cli.output import out, plain, say, say_json, table
from services.ops.cli.params import Param, parsed
from services.ops.cli.prompts import confirm
from services.ops.connections import connect
from services.ops.schedules import schedules
from services.ops.schedules import status as scheduled_runs
from services.ops.schedules.status import LastRun, Status
from shared.datasets import registry

schedules_commands = typer.Typer(
    help="Schedules: runs that EventBridge Scheduler, or the emulator, starts.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="the schedule's name")]


@schedules_commands.command("list")
def list_(as_json: Json = False) -> None:  # noqa: FBT002
    """Show every schedule with its last slot and run, the slots missed since, and the next slot.

    A slot counts as missed if no run of it is in the ledger half an hour later.

    Exit 0 if no slot was missed, else 1.

    Example: smelt schedules list
    """
    statuses = scheduled_runs.statuses(connect())
    if as_json:
        say_json({"schedules": [_described(status) for status in statuses]})
    elif statuses:
        out.print(_table(statuses))
    else:
        say("no schedule: `smelt schedules add --help`")
    if any(status.missed for status in statuses):
        raise typer.Exit(1)


@schedules_commands.command()
def add(  # noqa: PLR0913, PLR0917 - the options of a command
    name: Name,
    dataset: Annotated[str, typer.Argument(help="the dataset to extract", autocompletion=registry.names)],
    expression: Annotated[str, typer.Argument(help="cron(0 7 * * ? *), rate(1 hour) or at(2026-12-31T07:00:00)")],
    timezone: Annotated[str, typer.Option(help="whose clock; the emulator goes by UTC whatever is said")] = "UTC",
    param: Param = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Add a schedule that starts a run at each slot.

    Example: smelt schedules add daily DATASET "cron(0 7 * * ? *)" --timezone America/New_York
    """
    schedules.add(connect(), name, dataset, parsed(param or []), expression, timezone)
    say_json({"added": name}) if as_json else say(f"added {plain(name)}: see `smelt schedules list`")


@schedules_commands.command()
def pause(name: Name, as_json: Json = False) -> None:  # noqa: FBT002
    """Pause a schedule; slots until it is resumed do not count as missed.

    Example: smelt schedules pause daily
    """
    schedules.set_enabled(connect(), name, enabled=False)
    say_json({"paused": name}) if as_json else say(f"paused {plain(name)}")


@schedules_commands.command()
def resume(name: Name, as_json: Json = False) -> None:  # noqa: FBT002
    """Resume a paused schedule.

    Example: smelt schedules resume daily
    """
    schedules.set_enabled(connect(), name, enabled=True)
    say_json({"resumed": name}) if as_json else say(f"resumed {plain(name)}")


@schedules_commands.command()
def remove(name: Name, yes: Yes = False, as_json: Json = False) -> None:  # noqa: FBT002
    """Remove a schedule. Its runs remain.

    Example: smelt schedules remove daily --yes
    """
    connections = connect()
    schedule = schedules.find(connections.scheduler, name)
    confirm(f"Remove {plain(name)}, {schedule.expression} of {plain(schedule.command.dataset)}?", yes=yes)
    schedules.remove(connections, name)
    say_json({"removed": name}) if as_json else say(f"removed {plain(name)}")


@schedules_commands.command("run-now")
def run_now(name: Name, as_json: Json = False) -> None:  # noqa: FBT002
    """Start the schedule's run now, without a slot. Rejected while the previous run is still running.

    Example: smelt schedules run-now daily
    """
    run_id, _ = schedules.run_now(connect(), name)
    say_json({"run_id": run_id}) if as_json else say(f"run {run_id} is on the queue")


def _table(statuses: list[Status]) -> Table:
    titles = ("schedule", "dataset", "when", "last slot", "last run", "state", "missed", "next")
    rows = table(*titles, header_style="dim")
    for status in statuses:
        schedule, last = status.schedule, status.last
        rows.add_row(
            plain(schedule.name),
            plain(schedule.command.dataset),
            plain(schedule.expression) + (f" {schedule.timezone}" if schedule.timezone != "UTC" else ""),
            _moment(last.scheduled_for if last else None),
            last.run_id if last else "-",
            _state(last),
            formatting.alarming(status.missed),
            _moment(status.next) if schedule.enabled else "[yellow]paused[/yellow]",
        )
    return rows


def _state(last: LastRun | None) -> str:
    if last is None:
        return "never ran"
    state = f"{last.state}: {plain(last.why)}" if last.why else last.state
    return f"[red]{state}[/red]" if last.state == "rejected" else state


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _described(status: Status) -> dict[str, object]:
    schedule, last = status.schedule, status.last
    command = schedule.command
    return {
        "name": schedule.name,
        "dataset": command.dataset,
        "params": command.params,
        "expression": schedule.expression,
        "timezone": schedule.timezone,
        "enabled": schedule.enabled,
        "last": asdict(last) if last else None,
        "missed": status.missed,
        "next": status.next,
    }
