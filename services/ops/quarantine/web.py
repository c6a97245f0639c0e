"""Console pages of quarantine: rejected records by rule, one record, and replay."""

from typing import Any

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops.quarantine import entries as quarantined
from services.ops.quarantine.entries import QuarantineFilter
from services.ops.web import formatting, query_params, templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from services.ops.web.query_params import Params

FILTER_FIELDS = ("dataset", "rule", "run", "older_than")
SHOWN = 100


def list_quarantine(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt quarantine list`: groups, and the newest records."""
    given = request.query_params
    wanted = filter_from(given)
    with context.reading.database.connect() as connection:
        groups = quarantined.find_groups(connection, wanted)
        entries = quarantined.find_entries(connection, wanted, SHOWN)
    fields = query_params.fields(given, FILTER_FIELDS) | {"closed": "1" if wanted.closed else ""}
    still_open = sum(group.still_open for group in groups)
    return templating.page(
        request, "quarantine/list.html", fields=fields, groups=groups, entries=entries, open=still_open, ids=()
    )


def show_entry(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt quarantine show`."""
    return templating.page(
        request, "quarantine/entry.html", entry=_entry(context, query_params.whole(request.path_params["id"]))
    )


def replay_entries(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Prepare a replay."""
    wanted, limit = filter_from(form), query_params.number(form, "limit")
    with context.acting.database.connect() as connection:
        whole, cut = quarantined.find_replayable(connection, wanted, limit)
    return context.plan(
        Action(
            title=f"Replay {formatting.counted(len(whole), 'rejected record')}",
            preview="quarantine/preview.html",
            shown={"filter": wanted.described(), "cut": len(cut)},
            total=len(whole),
            work=lambda advance: quarantined.replay(context.acting, whole, wanted, advance),
            back="/quarantine",
        )
    )


def filter_from(params: Params) -> QuarantineFilter:
    """The filter from page parameters or form fields. Raises PermanentError for invalid values."""
    ids = [query_params.whole(identity) for identity in params.getlist("id") if identity]
    texts = {name: query_params.text(params, name) for name in FILTER_FIELDS}
    return quarantined.parse_filter(ids, closed="closed" in params, **texts)


def _entry(context: ConsoleContext, identity: int) -> Row[Any]:
    with context.reading.database.connect() as connection:
        rows = quarantined.find_entries(connection, QuarantineFilter(ids=(identity,), closed=True), 1)
    if not rows:
        raise HTTPException(404, f"No entry {identity} in quarantine.")
    return rows[0]
