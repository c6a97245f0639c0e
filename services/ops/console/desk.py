"""What the pages work with."""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.ops.connections import Connections
from services.ops.console.actions import Action, Actions
from services.ops.console.forms import Form
from services.ops.console.watch import Measurements


@dataclass(frozen=True)
class Desk:
    """`reading` gives up soon and changes nothing; `acting` is for what an operator has confirmed."""

    measure: Callable[[], Measurements]  # may block for seconds
    reading: Connections
    acting: Connections
    actions: Actions

    def plan(self, action: Action) -> Response:
        """Keep it, to be confirmed on its page. Raises PermanentError where too many are under way."""
        return RedirectResponse(f"/actions/{self.actions.plan(action).id}", 303)


Page = Callable[[Desk, Request], Response]
Doing = Callable[[Desk, Request, Form], Response]
