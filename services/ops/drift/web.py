"""Console page of schema drift."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.ops.drift import queries
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext

SINCE = timedelta(days=30)


def show_drift(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt drift`."""
    params = request.query_params
    since = query_params.age(params, "since") or SINCE
    with context.reading.database.connect() as connection:
        rows = queries.find_drift(
            connection,
            since,
            query_params.text(params, "dataset"),
            query_params.text(params, "kind"),
            query_params.MAX_ROWS,
        )
    fields = query_params.fields(params, ("dataset", "kind", "since"))
    return templating.page(request, "drift/list.html", fields=fields, rows=rows, kinds=queries.KINDS)
