"""Runs: the latest, and everything about one."""

import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops.runs import details, runs
from services.ops.runs.views import RunView
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext

SHOWN = 50
PARTS = 100  # the unfinished ones first


def list_runs(context: ConsoleContext, request: Request) -> Response:
    """As `smelt runs list`."""
    given = request.query_params
    most = min(query_params.number(given, "limit") or SHOWN, query_params.MOST)
    with context.reading.database.connect() as connection:
        found = runs.find_latest(
            connection, most, query_params.text(given, "dataset"), query_params.age(given, "since")
        )
    busy = None if all(run.completed_at for run in found) else runs.is_under_way(context.reading)
    views = [RunView(run, run.state(busy=busy), 0) for run in found]
    fields = query_params.fields(given, ("dataset", "since", "limit"))
    return templating.page(request, "runs/list.html", runs=views, fields=fields, dead=0, unknown={}, at=None)


def show_run(context: ConsoleContext, request: Request) -> Response:
    """As `smelt runs show`."""
    run_id = request.path_params["run_id"]
    found = details.details(context.reading, run_id)
    waiting = details.waiting(context.reading, run_id, time.time())
    if found is None and not (waiting.dead_letters or waiting.troubles):
        raise HTTPException(404, f"No run {run_id} in the ledger: not planned yet, or never started.")
    parts = sorted(found.parts, key=lambda part: (part.loaded >= part.pages, part.number)) if found else []
    return templating.page(
        request, "runs/run.html", run_id=run_id, found=found, parts=parts, shown=PARTS, waiting=waiting, at=None
    )
