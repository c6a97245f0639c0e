"""Quarantine: rejected records by rule, one by itself, and sending them once more."""

from typing import Any

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops.quarantine import entries as quarantined
from services.ops.quarantine.entries import Filter
from services.ops.web import formatting, query_params, templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form

SHOWN = 100


def list_quarantine(desk: ConsoleContext, request: Request) -> Response:
    """As `smelt quarantine list`: groups, and the newest records."""
    given = request.query_params
    wanted = query_params.records(given)
    with desk.reading.database.connect() as connection:
        groups = quarantined.groups(connection, wanted)
        entries = quarantined.entries(connection, wanted, SHOWN)
    fields = query_params.fields(given, query_params.RECORDS) | {"closed": "1" if wanted.closed else ""}
    still_open = sum(group.still_open for group in groups)
    return templating.page(
        request, "quarantine_page.html", fields=fields, groups=groups, entries=entries, open=still_open, ids=()
    )


def show_entry(desk: ConsoleContext, request: Request) -> Response:
    """As `smelt quarantine show`."""
    return templating.page(
        request, "entry_page.html", entry=_entry(desk, query_params.whole(request.path_params["id"]))
    )


def replay_entries(desk: ConsoleContext, _: Request, form: Form) -> Response:
    """Plan to send them through the transformer once more."""
    wanted, limit = query_params.records(form), query_params.number(form, "limit")
    with desk.acting.database.connect() as connection:
        whole, cut = quarantined.replayable(connection, wanted, limit)
    return desk.plan(
        Action(
            title=f"Replay {formatting.counted(len(whole), 'rejected record')}",
            preview="records_preview.html",
            shown={"filter": wanted.described(), "cut": len(cut)},
            total=len(whole),
            work=lambda advance: quarantined.replay(desk.acting, whole, wanted, advance),
            back="/quarantine",
        )
    )


def _entry(desk: ConsoleContext, identity: int) -> Row[Any]:
    with desk.reading.database.connect() as connection:
        found = quarantined.entries(connection, Filter(ids=(identity,), closed=True), 1)
    if not found:
        raise HTTPException(404, f"No entry {identity} in quarantine.")
    return found[0]
