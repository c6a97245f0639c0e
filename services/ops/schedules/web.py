"""Schedules of EventBridge Scheduler on the console: list them with their last runs; pause, resume or run one now."""

from collections.abc import Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from services.ops.connections import Connections
from services.ops.operator_log import ActionResult
from services.ops.schedules import schedules, status
from services.ops.web import query_params, templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from shared.errors import PermanentError

VERBS: Mapping[str, Callable[[Connections, str], ActionResult]] = {
    "pause": partial(schedules.set_enabled, enabled=False),
    "resume": partial(schedules.set_enabled, enabled=True),
    "run-now": lambda connections, name: schedules.run_now(connections, name)[1],
}


def list_schedules(context: ConsoleContext, request: Request) -> Response:
    """Every schedule with its last run, the slots it missed and its next slot, as `smelt schedules list`."""
    return templating.page(request, "schedules/list.html", statuses=status.statuses(context.reading))


def change_schedule(context: ConsoleContext, _: Request, form: Form) -> Response:
    """Plan to pause, resume or run one. Raises PermanentError where there is none of that name."""
    name, verb = query_params.text(form, "name") or "", query_params.text(form, "verb") or ""
    if verb not in VERBS:
        message = "a schedule can be paused, resumed, run now"
        raise PermanentError(message)
    schedule = schedules.find(context.acting.scheduler, name)
    return context.plan(
        Action(
            title=f"{verb.replace('-', ' ').capitalize()}: {name}",
            preview="schedules/preview.html",
            shown={"schedule": schedule, "verb": verb},
            total=1,
            work=lambda _: VERBS[verb](context.acting, name),
            back="/schedules",
        )
    )
