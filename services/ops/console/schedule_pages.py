"""Schedules: what the clock starts and whether it did; paused, resumed and run now."""

from collections.abc import Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from services.ops import scheduled_runs, schedules
from services.ops.connections import Connections
from services.ops.console import asked, rendering
from services.ops.console.actions import Action
from services.ops.console.desk import Desk
from services.ops.console.forms import Form
from services.ops.replay_record import Tally
from shared.errors import PermanentError

VERBS: Mapping[str, Callable[[Connections, str], Tally]] = {
    "pause": partial(schedules.set_enabled, enabled=False),
    "resume": partial(schedules.set_enabled, enabled=True),
    "run-now": lambda connections, name: schedules.run_now(connections, name)[1],
}


def listed(desk: Desk, request: Request) -> Response:
    """As `smelt schedule list`."""
    return rendering.page(request, "schedules_page.html", statuses=scheduled_runs.statuses(desk.reading))


def change(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to pause, resume or run one. Raises PermanentError where there is none of that name."""
    name, verb = asked.text(form, "name") or "", asked.text(form, "verb") or ""
    if verb not in VERBS:
        message = "a schedule can be paused, resumed, run now"
        raise PermanentError(message)
    schedule = schedules.find(desk.acting.scheduler, name)
    return desk.plan(
        Action(
            title=f"{verb.replace('-', ' ').capitalize()}: {name}",
            preview="schedule_preview.html",
            shown={"schedule": schedule, "verb": verb},
            total=1,
            work=lambda _: VERBS[verb](desk.acting, name),
            back="/schedules",
        )
    )
