"""What the database remembers: drift, the trace of a row or an object, and what operators did."""

from datetime import timedelta

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from services.ops.drift import queries
from services.ops.lineage import objects as fates
from services.ops.lineage import rows as tracing
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from shared.config.topology import NOTIFICATIONS
from shared.database.ops_tables import OPERATOR_ACTION
from shared.datasets import contract

SINCE = timedelta(days=30)
SHOWN = 100


def show_drift(desk: ConsoleContext, request: Request) -> Response:
    """As `smelt drift`."""
    given = request.query_params
    since = query_params.age(given, "since") or SINCE
    with desk.reading.database.connect() as connection:
        found = queries.seen(
            connection, since, query_params.text(given, "dataset"), query_params.text(given, "kind"), query_params.MOST
        )
    fields = query_params.fields(given, ("dataset", "kind", "since"))
    return templating.page(request, "drift_page.html", fields=fields, found=found, kinds=queries.KINDS)


def show_lineage(desk: ConsoleContext, request: Request) -> Response:
    """As `smelt trace`: of a row by its natural key, of an object by its key."""
    given = request.query_params
    key, dataset = query_params.text(given, "key"), query_params.text(given, "dataset")
    rows, fate = [], None
    if key:
        key = key.removeprefix(f"s3://{desk.reading.settings.bucket}/")
        if key.startswith((*NOTIFICATIONS,)):
            fate = fates.object_status(desk.reading, key)
        else:
            rows = tracing.trace(desk.reading, key, [dataset] if dataset else contract.names())
    fields = query_params.fields(given, ("key", "dataset"))
    bucket = desk.reading.settings.bucket
    return templating.page(request, "trace_page.html", fields=fields, key=key, rows=rows, fate=fate, bucket=bucket)


def show_audit_log(desk: ConsoleContext, request: Request) -> Response:
    """Rows of `ops.operator_action`, the newest first; `before` goes on after a page."""
    before = query_params.number(request.query_params, "before")
    wanted = select(OPERATOR_ACTION).order_by(OPERATOR_ACTION.c.id.desc()).limit(SHOWN)
    if before:
        wanted = wanted.where(OPERATOR_ACTION.c.id < before)
    with desk.reading.database.connect() as connection:
        found = connection.execute(wanted).all()
    older = found[-1].id if len(found) == SHOWN else None
    return templating.page(request, "audit_page.html", found=found, older=older)
