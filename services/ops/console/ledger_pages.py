"""What the database remembers: drift, the trace of a row or an object, and what operators did."""

from datetime import timedelta

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from services.ops import drifted
from services.ops import fate as fates
from services.ops import trace as tracing
from services.ops.console import asked, rendering
from services.ops.console.desk import Desk
from shared.database.ops_tables import REPLAY
from shared.datasets import contract
from shared.topology import NOTIFICATIONS

SINCE = timedelta(days=30)
SHOWN = 100


def drift(desk: Desk, request: Request) -> Response:
    """As `smelt drift`."""
    given = request.query_params
    since = asked.age(given, "since") or SINCE
    with desk.reading.database.connect() as connection:
        found = drifted.seen(connection, since, asked.text(given, "dataset"), asked.text(given, "kind"), asked.MOST)
    fields = asked.fields(given, ("dataset", "kind", "since"))
    return rendering.page(request, "drift_page.html", fields=fields, found=found, kinds=drifted.KINDS)


def trace(desk: Desk, request: Request) -> Response:
    """As `smelt trace`: of a row by its natural key, of an object by its key."""
    given = request.query_params
    key, dataset = asked.text(given, "key"), asked.text(given, "dataset")
    rows, fate = [], None
    if key:
        key = key.removeprefix(f"s3://{desk.reading.settings.bucket}/")
        if key.startswith((*NOTIFICATIONS,)):
            fate = fates.fate(desk.reading, key)
        else:
            rows = tracing.trace(desk.reading, key, [dataset] if dataset else contract.names())
    fields = asked.fields(given, ("key", "dataset"))
    bucket = desk.reading.settings.bucket
    return rendering.page(request, "trace_page.html", fields=fields, key=key, rows=rows, fate=fate, bucket=bucket)


def audit(desk: Desk, request: Request) -> Response:
    """Rows of `ops.replay`, the newest first; `before` goes on after a page."""
    before = asked.number(request.query_params, "before")
    wanted = select(REPLAY).order_by(REPLAY.c.id.desc()).limit(SHOWN)
    if before:
        wanted = wanted.where(REPLAY.c.id < before)
    with desk.reading.database.connect() as connection:
        found = connection.execute(wanted).all()
    older = found[-1].id if len(found) == SHOWN else None
    return rendering.page(request, "audit_page.html", found=found, older=older)
