"""`smelt runs start` and `smelt runs show`; `cli_list` has list."""

import time
from dataclasses import asdict
from typing import Annotated

import typer

from services.ops.cli.options import Json
from services.ops.cli.output import out, say, say_json
from services.ops.cli.params import Param, parsed
from services.ops.connections import connect
from services.ops.runs import cli_output, details, runs
from services.ops.runs.cli_list import list_runs
from services.ops.runs.cli_watch import say_outcome, watch_run
from shared.datasets import registry

runs_commands = typer.Typer(help="Runs: start, list and show them.", no_args_is_help=True)
runs_commands.command("list")(list_runs)


@runs_commands.command()
def start(
    dataset: Annotated[str, typer.Argument(help="the dataset to extract", autocompletion=registry.names)],
    param: Param = None,
    wait: Annotated[bool, typer.Option("--wait", help="wait until every page is loaded")] = False,  # noqa: FBT002
    timeout: Annotated[float, typer.Option(help="maximum seconds to wait")] = 900,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Start a run by sending a command to the extract queue.

    `smelt runs show ID` shows its progress.

    Exit 0 if it is queued; with --wait, 0 if it completes and its counts add up, else 1.

    Example: smelt runs start DATASET --param keyword="data engineering" --wait
    """
    connections = connect()
    run_id = runs.start(connections, dataset, parsed(param or []))
    if not wait:
        say_json({"run_id": run_id}) if as_json else say(f"run {run_id} is on the queue")
        return
    looks = runs.follow(connections, run_id, timeout)
    if as_json:
        *_, look = looks
        say_json({"run_id": run_id, **_described(look)})
    else:
        look = watch_run(looks)
        say_outcome(look)
    if not (look.run and look.run.done):
        raise typer.Exit(1)


@runs_commands.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="the run's id, as `smelt runs list` has it")],
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show one run: pages, counts, warnings, drift, quarantine, pending retries and dead letters.

    Read-only. Exit 0 if it is in the ledger, else 1.

    Example: smelt runs show 20260102T030000Z-0123abcd
    """
    connections = connect()
    with out.status("querying the ledger, the bucket and the dead letters"):
        run_details = details.details(connections, run_id)
        waiting = details.waiting(connections, run_id, time.time())
    if as_json:
        say_json(cli_output.to_json(run_id, run_details, waiting))
    else:
        cli_output.say_details(run_id, run_details, waiting)
    if run_details is None:
        raise typer.Exit(1)


def _described(look: runs.Progress) -> dict[str, object]:
    run = look.run
    return {
        "complete": bool(run and run.completed_at),
        "conserved": bool(run and run.conserved),
        "missing": run.missing if run else None,
        "run": asdict(run) if run else None,
        "dead_letters": [asdict(letter) for letter in look.dead_letters],
        "retries": [asdict(retry) for retry in look.retries],
    }
