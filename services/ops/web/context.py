"""What the pages work with."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.connections import Connections
from services.ops.web.actions import Action, Actions
from services.ops.web.forms import Form


@dataclass(frozen=True)
class ConsoleContext:
    """`reading` gives up soon and changes nothing; `acting` is for what an operator has confirmed."""

    reading: Connections
    acting: Connections
    actions: Actions

    def plan(self, action: Action) -> Response:
        """Keep it, to be confirmed on its page. Raises PermanentError where too many are under way."""
        return RedirectResponse(f"/actions/{self.actions.plan(action).id}", 303)


Page = Callable[[ConsoleContext, Request], Response]
FormHandler = Callable[[ConsoleContext, Request, Form], Response]
