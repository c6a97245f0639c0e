"""The simulator as an ASGI application: routes, authorisation, faults and the control endpoint."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from infra.embedded.simulator import answers, codelists, historic, search
from infra.embedded.simulator.faults import Faults, Plan
from infra.embedded.simulator.market import HISTORY_BEGINS, LARGEST, LAST_DAY, Market, today
from infra.embedded.simulator.parameters import BadParameterError, Parameters

CONTROL: Final = "/_simulator"
Endpoint = Callable[[Request], Awaitable[Response]]


class Control(BaseModel):
    """The body of a control request; what is absent stays as it is. `faults` replace the faults still to come."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    day: date | None = None
    advance_days: int = Field(default=0, ge=0, le=3660)
    postings: int | None = Field(default=None, ge=1, le=LARGEST)
    faults: Plan | None = None


class Simulator:
    """The API over one market, as an ASGI application. Its day follows the clock (UTC) until one is set.

    `api_key` is the only key accepted, where given; else any is. Raises ValueError for a day outside the simulation.
    """

    def __init__(self, market: Market, day: date | None = None, api_key: str | None = None) -> None:
        self.market, self.faults, self.requests = market, Faults(Plan()), 0
        self._fixed_day, self._api_key = day and _within_simulation(day), api_key
        self._routes = Starlette(
            routes=[
                Route("/api/search", _refusing(self._search)),
                Route("/api/historicjoa", _refusing(self._historic)),
                Route("/api/codelist/{name}", _refusing(self._codelist)),
                Route("/codelist/{name}", _refusing(self._codelist)),
                Route(CONTROL, _refusing(self._control), methods=["GET", "POST"]),
            ],
            exception_handlers={404: _not_found},
        )

    @property
    def day(self) -> date:
        """The simulated day."""
        return self._fixed_day or today()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Paths are matched in any case. Faults meet API requests only, never the control endpoint."""
        if scope["type"] != "http":
            return await self._routes(scope, receive, send)
        scope = {**scope, "path": scope["path"].lower()}
        if scope["path"] == CONTROL:
            return await self._routes(scope, receive, send)
        self.requests += 1
        return await self.faults.around(self._routes)(scope, receive, send)

    def apply(self, control: Control) -> None:
        """Change the simulation. Raises ValueError, and then changes nothing, for a day outside of it."""
        if control.day or control.advance_days:
            day = (control.day or self.day) + timedelta(days=control.advance_days)
            self._fixed_day = _within_simulation(day)
        if control.postings:
            self.market = Market(self.market.seed, control.postings)
        if control.faults:
            self.faults = Faults(control.faults)

    async def _search(self, request: Request) -> Response:
        if not self._authorized(request):
            return answers.error(401, "Authorization has been denied for this request.")
        query = search.parse(Parameters(request.query_params.multi_items()))
        return answers.page(await run_in_threadpool(search.answer, self.market, self.day, query))

    async def _historic(self, request: Request) -> Response:
        parameters = Parameters(request.query_params.multi_items())
        return answers.json(await run_in_threadpool(historic.answer, self.market, self.day, parameters))

    async def _codelist(self, request: Request) -> Response:
        if request.path_params["name"] not in codelists.LISTS:
            return await _not_found(request)
        return answers.json(codelists.answer(request.path_params["name"], self.day))

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            self.apply(Control.model_validate_json(await request.body()))
        state = {
            "seed": self.market.seed,
            "day": self.day,
            "open": len(self.market.open_on(self.day)),
            "requests": self.requests,
            "faults": self.faults.state,
        }
        return answers.json(orjson.dumps(state))

    def _authorized(self, request: Request) -> bool:
        key = request.headers.get("Authorization-Key", "")
        return "@" in request.headers.get("User-Agent", "") and (key == self._api_key if self._api_key else bool(key))


def _refusing(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with a 400 for what it cannot read."""

    async def refusing(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ValidationError as error:
            return answers.error(400, "; ".join(f"{problem['loc']}: {problem['msg']}" for problem in error.errors()))
        except BadParameterError as error:
            return answers.error(400, str(error))

    return refusing


async def _not_found(request: Request, _error: Exception | None = None) -> Response:
    return answers.error(404, f"No HTTP resource was found at {request.url.path}.")


def _within_simulation(day: date) -> date:
    if not HISTORY_BEGINS <= day <= LAST_DAY:
        message = f"the simulation runs from {HISTORY_BEGINS} to {LAST_DAY}, without {day}"
        raise BadParameterError(message)
    return day
