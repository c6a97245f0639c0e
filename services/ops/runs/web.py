"""Console pages of runs."""

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
    """Like `smelt runs list`."""
    params = request.query_params
    most = min(query_params.number(params, "limit") or SHOWN, query_params.MAX_ROWS)
    with context.reading.database.connect() as connection:
        latest = runs.find_latest(
            connection, most, query_params.text(params, "dataset"), query_params.age(params, "since")
        )
    busy = None if all(run.completed_at for run in latest) else runs.is_under_way(context.reading)
    views = [RunView(run, run.state(busy=busy), 0) for run in latest]
    fields = query_params.fields(params, ("dataset", "since", "limit"))
    return templating.page(request, "runs/list.html", runs=views, fields=fields, dead=0, unknown={}, at=None)


def show_run(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt runs show`."""
    run_id = request.path_params["run_id"]
    run_details = details.details(context.reading, run_id)
    waiting = details.waiting(context.reading, run_id, time.time())
    if run_details is None and not (waiting.dead_letters or waiting.retries):
        raise HTTPException(404, f"No run {run_id} in the ledger: not planned yet, or never started.")
    parts = sorted(run_details.parts, key=lambda part: (part.loaded >= part.pages, part.number)) if run_details else []
    return templating.page(
        request, "runs/run.html", run_id=run_id, details=run_details, parts=parts, shown=PARTS, waiting=waiting, at=None
    )
