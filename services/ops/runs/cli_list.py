"""`smelt runs list`: the latest runs and their progress."""

from datetime import timedelta
from typing import Annotated

import typer

from services.ops import durations
from services.ops.cli.options import Dataset, Json
from services.ops.cli.output import say, say_json
from services.ops.connections import connect
from services.ops.runs import runs
from services.ops.runs.cli_output import run_json, say_run

Since = Annotated[str | None, typer.Option("--since", help="planned in the last 30s, 15m, 2h or 1d")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="maximum number")]


def list_runs(
    dataset: Dataset = None,
    since: Since = None,
    limit: Limit = 10,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """List the latest runs, newest first, with progress, rate and counts.

    Complete: every page is loaded. Running: messages are in progress. Incomplete: pages are missing and nothing is in
    progress (smelt reconcile --repair). Rejected: nothing was to be fetched. Unknown: the queues cannot be measured.

    Rates are over the last two minutes. Exit 0, whether there are runs or not.

    Example: smelt runs list --since 1d
    """
    connections = connect()
    age = timedelta(seconds=durations.seconds(since)) if since else None
    with connections.database.connect() as connection:
        latest = runs.find_latest(connection, limit, dataset, age)
    busy = None if all(run.completed_at for run in latest) else runs.is_under_way(connections)
    if as_json:
        say_json({"runs": [run_json(run, run.state(busy=busy)) for run in latest]})
        return
    for run in latest:
        say_run(run, run.state(busy=busy))
    if not latest:
        say("no runs: `smelt runs start DATASET` starts one")
