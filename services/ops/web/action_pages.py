"""An action's page: what would be done, the confirmation, how far it is, and what came of it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.console.sessions import Visitor
from services.ops.web import templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form


def show(desk: ConsoleContext, request: Request) -> Response:
    """The whole page."""
    return templating.page(request, "action_page.html", action=_action(desk, request))


def progress(desk: ConsoleContext, request: Request) -> Response:
    """The part of it that is swapped for a newer one."""
    return templating.page(request, "action.html", action=_action(desk, request))


def confirm(desk: ConsoleContext, request: Request, _: Form) -> Response:
    """Do it, once."""
    visitor: Visitor = request.state.visitor
    action = _action(desk, request)
    desk.actions.start(action, visitor.name)
    return _back_to(action)


def stop(desk: ConsoleContext, request: Request, _: Form) -> Response:
    """Let it end after the message that it is at."""
    action = _action(desk, request)
    action.stopped.set()
    return _back_to(action)


def _action(desk: ConsoleContext, request: Request) -> Action:
    action = desk.actions.find(request.path_params["id"])
    if action is None:
        why = "The console no longer knows this action: it is over for long, or the console was started again."
        raise HTTPException(404, f"{why} What was done is in the audit log; what was not done waits where it was.")
    return action


def _back_to(action: Action) -> Response:
    return RedirectResponse(f"/actions/{action.id}", 303)
