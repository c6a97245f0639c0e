"""Drift: how data differs from what was declared and from what came before."""

from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from services.ops.drift import queries
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext

SINCE = timedelta(days=30)


def show_drift(context: ConsoleContext, request: Request) -> Response:
    """As `smelt drift`."""
    given = request.query_params
    since = query_params.age(given, "since") or SINCE
    with context.reading.database.connect() as connection:
        found = queries.find_drift(
            connection, since, query_params.text(given, "dataset"), query_params.text(given, "kind"), query_params.MOST
        )
    fields = query_params.fields(given, ("dataset", "kind", "since"))
    return templating.page(request, "drift/list.html", fields=fields, found=found, kinds=queries.KINDS)
