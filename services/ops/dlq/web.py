"""Console pages of dead letters: a filtered list grouped by reason, and one letter."""

import time

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ops.dlq import actions, filters
from services.ops.dlq.filters import DeadLetterFilter, DeadLetterGroup
from services.ops.dlq.object_state import state_of
from services.ops.queues.names import short_names
from services.ops.web import query_params, templating
from services.ops.web.context import ConsoleContext
from services.ops.web.query_params import Params

FILTER_FIELDS = ("queue", "error", "dataset", "run", "older_than", "contains")
SHOWN = 20  # letters per group
CONSTANT = "…"  # replaces variable parts of a reason


def list_dead_letters(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt dlq list`, for the first thousand letters of each queue."""
    params = request.query_params
    filter_ = filter_from(params)
    survey = actions.find(context.reading, filter_, query_params.MAX_ROWS)
    letters = survey.letters
    groups = [(group, narrower(group)) for group in filters.grouped(letters)]
    fields = query_params.fields(params, FILTER_FIELDS)
    return templating.page(
        request,
        "dlq/list.html",
        fields=fields,
        ids=filter_.ids,
        letters=letters,
        groups=groups,
        unseen=survey.unseen,
        now=time.time(),
        shown=len(letters) if "all" in params else SHOWN,
        query={**fields, "all": "1"},
        queues=short_names(),
    )


def show_dead_letter(context: ConsoleContext, request: Request) -> Response:
    """Like `smelt dlq show`."""
    identity = request.path_params["id"]
    survey = actions.find(context.reading, DeadLetterFilter(ids=(identity,)))
    if len(survey.letters) != 1:
        elsewhere = f" {survey.unseen} are held by another process and were not checked." if survey.unseen else ""
        raise HTTPException(
            404, f"Dead letter {identity} not found; it may have been replayed or discarded.{elsewhere}"
        )
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


def filter_from(params: Params) -> DeadLetterFilter:
    """The filter from page parameters or form fields. Raises PermanentError for invalid values."""
    texts = {name: query_params.text(params, name) for name in FILTER_FIELDS}
    return filters.parse_filter(filter(None, params.getlist("id")), **texts)


def narrower(group: DeadLetterGroup) -> dict[str, str]:
    """Parameters that select a group: its queue, and the longest constant part of the reason."""
    parts = group.reason.split(CONSTANT)
    return {"queue": group.queue.rpartition("-")[2], "error": max(parts, key=len).strip() or group.error_type}
