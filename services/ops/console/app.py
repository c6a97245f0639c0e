"""The console as a web application: its routes, and what becomes of errors."""

from collections.abc import Callable
from functools import partial

from botocore.exceptions import BotoCoreError, ClientError
from redis import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from services.ops.console import (
    action_pages,
    forms,
    ledger_pages,
    letter_actions,
    letter_pages,
    overview_pages,
    quarantine_pages,
    rendering,
    run_pages,
    runbooks,
    schedule_pages,
)
from services.ops.console.desk import Desk, Doing, Page
from services.ops.console.doors import Door, TokenDoor, local
from services.ops.console.guard import Guard, SecurityHeaders
from services.ops.gauge import reason_of
from shared.errors import PermanentError, TransientError

LOOKS: dict[str, Page] = {
    "/": overview_pages.page,
    "/overview": overview_pages.fragment,
    "/runs": run_pages.latest,
    "/runs/{run_id}": run_pages.one,
    "/dead-letters": letter_pages.listed,
    "/dead-letters/{id}": letter_pages.one,
    "/quarantine": quarantine_pages.listed,
    "/quarantine/{id}": quarantine_pages.one,
    "/drift": ledger_pages.drift,
    "/trace": ledger_pages.trace,
    "/schedules": schedule_pages.listed,
    "/audit": ledger_pages.audit,
    "/runbooks/{name}": runbooks.show,
    "/actions/{id}": action_pages.show,
    "/actions/{id}/progress": action_pages.progress,
}
DOES: dict[str, Doing] = {  # of operators only; the first three plan what `confirm` does
    "/dead-letters/replay": letter_actions.replay,
    "/dead-letters/discard": letter_actions.discard,
    "/quarantine/replay": quarantine_pages.replay,
    "/schedules/change": schedule_pages.change,
    "/actions/{id}/confirm": action_pages.confirm,
    "/actions/{id}/stop": action_pages.stop,
}
AWAY = (BotoCoreError, ClientError, TransientError, RedisError, DBAPIError, PoolTimeout)


def application(desk: Desk, door: Door, names: list[str], *more: BaseRoute) -> Starlette:
    """The whole console for requests under these names, and `more` routes that need no login."""
    known = Middleware(TrustedHostMiddleware, allowed_hosts=names)
    inside = [
        *(Route(path, partial(look, desk), methods=["GET"]) for path, look in LOOKS.items()),
        *(Route(path, _doing(desk, does), methods=["POST"]) for path, does in DOES.items()),
        Route("/logout", _logout(door), methods=["POST"]),
    ]
    login = [*_login(door)] if isinstance(door, TokenDoor) else []
    return Starlette(
        routes=[
            Route("/healthz", _healthy),  # by whatever name a load balancer asks
            Mount("/static", StaticFiles(directory=rendering.HERE / "static")),
            Mount(
                "/",
                routes=[*login, *more, Mount("/", routes=inside, middleware=[Middleware(Guard, door=door)])],
                middleware=[known],
            ),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            HTTPException: _refused,
            PermanentError: partial(_told, status=400),
            **dict.fromkeys(AWAY, partial(_told, status=503)),
        },
    )


def _doing(desk: Desk, does: Doing) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        form = await forms.checked(request)
        return await run_in_threadpool(does, desk, request, form)

    return endpoint


def _login(door: TokenDoor) -> list[BaseRoute]:
    def ask(request: Request) -> Response:
        return rendering.login(request, local(request.query_params.get("next", "/")))

    async def enter(request: Request) -> Response:
        forms.check_origin(request)
        form = await forms.read(request)
        return door.exchange(request, form.get("token", "").strip(), local(form.get("next", "/")))

    return [Route("/login", ask, methods=["GET"]), Route("/login", enter, methods=["POST"])]


def _logout(door: Door) -> Callable[[Request], object]:
    async def leave(request: Request) -> Response:
        await forms.own(request, request.state.visitor)
        answer = RedirectResponse("/", 303)
        door.sessions.end(answer)
        return answer

    return leave


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


def _refused(request: Request, error: Exception) -> Response:
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return rendering.refused(request, why, getattr(request.state, "visitor", None), status)


def _told(request: Request, error: Exception, status: int) -> Response:
    return rendering.refused(request, reason_of(error), getattr(request.state, "visitor", None), status)
