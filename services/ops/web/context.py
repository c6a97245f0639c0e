"""Dependencies of the console's pages."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.connections import Connections
from services.ops.web.actions import Action, Actions
from services.ops.web.forms import Form


@dataclass(frozen=True)
class ConsoleContext:
    """`reading` has short timeouts and is read-only; `acting` is for confirmed actions."""

    reading: Connections
    acting: Connections
    actions: Actions

    def plan(self, action: Action) -> Response:
        """Store an action and redirect to its confirmation page. Raises PermanentError if too many are running."""
        return RedirectResponse(f"/actions/{self.actions.plan(action).id}", 303)


Page = Callable[[ConsoleContext, Request], Response]
FormHandler = Callable[[ConsoleContext, Request, Form], Response]
