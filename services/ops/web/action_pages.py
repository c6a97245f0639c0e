"""Console pages of an action: preview, confirmation, progress and result."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.web import templating
from services.ops.web.actions import Action
from services.ops.web.context import ConsoleContext
from services.ops.web.forms import Form
from services.ops.web.user import User


def show(context: ConsoleContext, request: Request) -> Response:
    """The page."""
    return templating.page(request, "action_page.html", action=_action(context, request))


def progress(context: ConsoleContext, request: Request) -> Response:
    """The fragment that is refreshed."""
    return templating.page(request, "action.html", action=_action(context, request))


def confirm(context: ConsoleContext, request: Request, _: Form) -> Response:
    """Start the action; repeated confirmation has no effect."""
    user: User = request.state.user
    action = _action(context, request)
    context.actions.start(action, user.name)
    return _back_to(action)


def stop(context: ConsoleContext, request: Request, _: Form) -> Response:
    """Stop the action after its current item."""
    action = _action(context, request)
    action.stopped.set()
    return _back_to(action)


def _action(context: ConsoleContext, request: Request) -> Action:
    action = context.actions.find(request.path_params["id"])
    if action is None:
        why = "This action is no longer available; it ended a while ago, or the console was restarted."
        raise HTTPException(404, f"{why} The audit log has what was done; the rest is unchanged.")
    return action


def _back_to(action: Action) -> Response:
    return RedirectResponse(f"/actions/{action.id}", 303)
