"""Console page of lineage."""

from starlette.requests import Request
from starlette.responses import Response

from services.ops.lineage.objects import object_status
from services.ops.lineage.rows import row_lineage
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from shared.config.topology import NOTIFICATIONS
from shared.datasets import registry


def show_lineage(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt lineage`."""
    given = request.query_params
    key, dataset = query_params.text(given, "key"), query_params.text(given, "dataset")
    rows, status = [], None
    if key:
        key = key.removeprefix(f"s3://{context.reading.settings.bucket}/")
        if key.startswith((*NOTIFICATIONS,)):
            status = object_status(context.reading, key)
        else:
            rows = row_lineage(context.reading, key, [dataset] if dataset else registry.names())
    fields = query_params.fields(given, ("key", "dataset"))
    bucket = context.reading.settings.bucket
    return templating.page(
        request, "lineage/lineage.html", fields=fields, key=key, rows=rows, status=status, bucket=bucket
    )
