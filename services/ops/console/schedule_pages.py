"""Schedules: what the clock starts and whether it did; paused, resumed and run now."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops import replay_record, scheduled_runs, schedules
from services.ops.connections import remember_schedules
from services.ops.console import asked, rendering
from services.ops.console.actions import Action, Advance
from services.ops.console.desk import Desk
from services.ops.console.forms import Form
from services.ops.replay_record import Tally
from shared.errors import PermanentError

VERBS = {"pause": "paused", "resume": "resumed", "run-now": "run now"}


def listed(desk: Desk, request: Request) -> Response:
    """As `smelt schedule list`."""
    found = schedules.find_all(desk.reading.scheduler)
    with desk.reading.database.connect() as connection:
        statuses = scheduled_runs.statuses(connection, found, datetime.now(UTC))
    return rendering.page(request, "schedules_page.html", statuses=statuses)


def change(desk: Desk, _: Request, form: Form) -> Response:
    """Plan to pause, resume or run one. Raises PermanentError where there is none of that name."""
    name, verb = asked.text(form, "name") or "", asked.text(form, "verb") or ""
    if verb not in VERBS:
        message = f"a schedule can be {', '.join(VERBS.values())}"
        raise PermanentError(message)
    schedule = schedules.find(desk.acting.scheduler, name)
    action = Action(
        title=f"{verb.replace('-', ' ').capitalize()}: {name}",
        preview="schedule_preview.html",
        shown={"schedule": schedule, "verb": verb},
        total=1,
        work=_work(desk, name, verb),
        back="/schedules",
    )
    return RedirectResponse(f"/actions/{desk.actions.plan(action).id}", 303)


def _work(desk: Desk, name: str, verb: str) -> Callable[[Advance], Tally]:
    def work(_: Advance) -> Tally:
        what = {"action": verb, "schedule": name}
        with replay_record.recorded(desk.acting.database, "schedule", VERBS[verb], what, 1) as tally:
            if verb == "run-now":
                schedules.run_now(desk.acting, name)
            else:
                schedules.set_enabled(desk.acting.scheduler, name, enabled=verb == "resume")
                remember_schedules()
            tally.done = 1
        return tally

    return work
