"""The audit log of operators' actions, from the command line and the console."""

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from shared.database.ops_tables import OPERATOR_ACTION

PAGE_SIZE = 100


def show_audit_log(context: ConsoleContext, request: Request) -> Response:
    """Rows of `ops.operator_action`, newest first; `before` continues after a page."""
    before = query_params.number(request.query_params, "before")
    query = select(OPERATOR_ACTION).order_by(OPERATOR_ACTION.c.id.desc()).limit(PAGE_SIZE)
    if before:
        query = query.where(OPERATOR_ACTION.c.id < before)
    with context.reading.database.connect() as connection:
        rows = connection.execute(query).all()
    older = rows[-1].id if len(rows) == PAGE_SIZE else None
    return templating.page(request, "audit_log/list.html", rows=rows, older=older)
