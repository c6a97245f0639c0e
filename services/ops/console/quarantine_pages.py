"""Quarantine: rejected records by rule, one by itself, and sending them once more."""

from typing import Any

from sqlalchemy import Row
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops import quarantined
from services.ops.console import asked, rendering, words
from services.ops.console.actions import Action
from services.ops.console.desk import Desk
from services.ops.console.forms import Form
from services.ops.quarantined import Filter

SHOWN = 100


def listed(desk: Desk, request: Request) -> Response:
    """As `smelt quarantine list`: groups, and the newest records."""
    given = request.query_params
    wanted = asked.records(given)
    with desk.reading.database.connect() as connection:
        groups = quarantined.groups(connection, wanted)
        entries = quarantined.entries(connection, wanted, SHOWN)
    fields = asked.fields(given, asked.RECORDS) | {"closed": "1" if wanted.closed else ""}
    still_open = sum(group.still_open for group in groups)
    return rendering.page(
        request, "quarantine_page.html", fields=fields, groups=groups, entries=entries, open=still_open, ids=()
    )


def one(desk: Desk, request: Request) -> Response:
    """As `smelt quarantine show`."""
    return rendering.page(request, "entry_page.html", entry=_entry(desk, asked.whole(request.path_params["id"])))


def replay(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to send them through the transformer once more."""
    wanted, limit = asked.records(form), asked.number(form, "limit")
    with desk.acting.database.connect() as connection:
        whole, cut = quarantined.replayable(connection, wanted, limit)
    return desk.plan(
        Action(
            title=f"Replay {words.counted(len(whole), 'rejected record')}",
            preview="records_preview.html",
            shown={"filter": wanted.described(), "cut": len(cut)},
            total=len(whole),
            work=lambda advance: quarantined.replay(desk.acting, whole, wanted, advance),
            back="/quarantine",
        )
    )


def _entry(desk: Desk, identity: int) -> Row[Any]:
    with desk.reading.database.connect() as connection:
        found = quarantined.entries(connection, Filter(ids=(identity,), closed=True), 1)
    if not found:
        raise HTTPException(404, f"No entry {identity} in quarantine.")
    return found[0]
