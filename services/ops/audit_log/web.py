"""The audit log: what operators did, on the command line and in the console."""

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from shared.database.ops_tables import OPERATOR_ACTION

SHOWN = 100


def show_audit_log(context: ConsoleContext, request: Request) -> Response:
    """Rows of `ops.operator_action`, the newest first; `before` goes on after a page."""
    before = query_params.number(request.query_params, "before")
    wanted = select(OPERATOR_ACTION).order_by(OPERATOR_ACTION.c.id.desc()).limit(SHOWN)
    if before:
        wanted = wanted.where(OPERATOR_ACTION.c.id < before)
    with context.reading.database.connect() as connection:
        found = connection.execute(wanted).all()
    older = found[-1].id if len(found) == SHOWN else None
    return templating.page(request, "audit_log/list.html", found=found, older=older)
