"""An action's page: what would be done, the confirmation, how far it is, and what came of it."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.web import templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from services.ops.web.user import User


def show(context: ConsoleContext, request: Request) -> Response:
    """The whole page."""
    return templating.page(request, "action_page.html", action=_action(context, request))


def progress(context: ConsoleContext, request: Request) -> Response:
    """The part of it that is swapped for a newer one."""
    return templating.page(request, "action.html", action=_action(context, request))


def confirm(context: ConsoleContext, request: Request, _: Form) -> Response:
    """Do it, once."""
    user: User = request.state.user
    action = _action(context, request)
    context.actions.start(action, user.name)
    return _back_to(action)


def stop(context: ConsoleContext, request: Request, _: Form) -> Response:
    """Let it end after the message that it is at."""
    action = _action(context, request)
    action.stopped.set()
    return _back_to(action)


def _action(context: ConsoleContext, request: Request) -> Action:
    action = context.actions.find(request.path_params["id"])
    if action is None:
        why = "The console no longer knows this action: it is over for long, or the console was started again."
        raise HTTPException(404, f"{why} What was done is in the audit log; what was not done waits where it was.")
    return action


def _back_to(action: Action) -> Response:
    return RedirectResponse(f"/actions/{action.id}", 303)
