"""Dead letters: those that a filter means, grouped by reason, and one by itself."""

import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import filters, plans
from services.ops.dlq.filters import Filter, Group
from services.ops.dlq.object_state import state_of
from services.ops.queues.names import short_names
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from services.ops.web.query_params import Params

FILTER_FIELDS = ("queue", "error", "dataset", "run", "older_than", "contains")
SHOWN = 20  # letters of a group
CONSTANT = "…"  # stands in a reason for what differs


def list_dead_letters(context: ConsoleContext, request: Request) -> Response:
    """As `smelt dlq list`, of the first thousand letters of each queue."""
    given = request.query_params
    wanted = filter_from(given)
    survey = plans.find(context.reading, wanted, query_params.MOST)
    found = survey.letters
    groups = [(group, narrower(group)) for group in filters.grouped(found)]
    fields = query_params.fields(given, FILTER_FIELDS)
    return templating.page(
        request,
        "dlq/list.html",
        fields=fields,
        ids=wanted.ids,
        found=found,
        groups=groups,
        unseen=survey.unseen,
        now=time.time(),
        shown=len(found) if "all" in given else SHOWN,
        query={**fields, "all": "1"},
        queues=short_names(),
    )


def show_dead_letter(context: ConsoleContext, request: Request) -> Response:
    """As `smelt dlq show`."""
    identity = request.path_params["id"]
    survey = plans.find(context.reading, Filter(ids=(identity,)))
    if len(survey.letters) != 1:
        elsewhere = f" {survey.unseen} could not be seen just now." if survey.unseen else ""
        raise HTTPException(404, f"No dead letter {identity}: it was replayed, discarded, or never there.{elsewhere}")
    letter = survey.letters[0]
    stored = {object_id: state_of(context.reading, object_id) for object_id in letter.objects}
    return templating.page(
        request,
        "dlq/dead_letter.html",
        letter=letter,
        stored=stored,
        now=time.time(),
        ids=[letter.id],
        queues=short_names(),
    )


def filter_from(params: Params) -> Filter:
    """The filter in a page's parameters or a form's fields. Raises PermanentError for what cannot be meant."""
    texts = {name: query_params.text(params, name) for name in FILTER_FIELDS}
    return filters.parse_filter(filter(None, params.getlist("id")), **texts)


def narrower(group: Group) -> dict[str, str]:
    """Parameters that mean the letters of a group: its queue, and the longest part of the reason that all share."""
    parts = group.reason.split(CONSTANT)
    return {"queue": group.queue.rpartition("-")[2], "error": max(parts, key=len).strip() or group.error_type}
