"""Lineage: where a row comes from, and what became of an object."""

from starlette.requests import Request
from starlette.responses import Response

from services.ops.lineage import objects as fates
from services.ops.lineage import rows as tracing
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from shared.config.topology import NOTIFICATIONS
from shared.datasets import contract


def show_lineage(context: ConsoleContext, request: Request) -> Response:
    """As `smelt trace`: of a row by its natural key, of an object by its key."""
    given = request.query_params
    key, dataset = query_params.text(given, "key"), query_params.text(given, "dataset")
    rows, fate = [], None
    if key:
        key = key.removeprefix(f"s3://{context.reading.settings.bucket}/")
        if key.startswith((*NOTIFICATIONS,)):
            fate = fates.object_status(context.reading, key)
        else:
            rows = tracing.trace(context.reading, key, [dataset] if dataset else contract.names())
    fields = query_params.fields(given, ("key", "dataset"))
    bucket = context.reading.settings.bucket
    return templating.page(request, "lineage/lineage.html", fields=fields, key=key, rows=rows, fate=fate, bucket=bucket)
