"""The console's web application: routes and error handling."""

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

from services.ops.audit_log.web import show_audit_log
from services.ops.console import pages
from services.ops.console.auth import Authenticator, TokenAuth, local_path, login_form
from services.ops.console.middleware import RequireUser, SecurityHeaders
from services.ops.dlq.web import list_dead_letters, show_dead_letter
from services.ops.dlq.web_actions import discard_dead_letters, replay_dead_letters
from services.ops.drift.web import show_drift
from services.ops.health import runbooks
from services.ops.lineage.web import show_lineage
from services.ops.overview.collector import Measurements
from services.ops.overview.web import OverviewPages
from services.ops.probe import reason_of
from services.ops.quarantine.web import list_quarantine, replay_entries, show_entry
from services.ops.runs.web import list_runs, show_run
from services.ops.schedules.web import change_schedule, list_schedules
from services.ops.web import action_pages, forms, templating
from services.ops.web.context import ConsoleContext, FormHandler, Page
from shared.errors import PermanentError, TransientError

GET_ROUTES: dict[str, Page] = {
    "/runs": list_runs,
    "/runs/{run_id}": show_run,
    "/dead-letters": list_dead_letters,
    "/dead-letters/{id}": show_dead_letter,
    "/quarantine": list_quarantine,
    "/quarantine/{id}": show_entry,
    "/drift": show_drift,
    "/lineage": show_lineage,
    "/schedules": list_schedules,
    "/audit": show_audit_log,
    "/runbooks/{name}": runbooks.show,
    "/actions/{id}": action_pages.show,
    "/actions/{id}/progress": action_pages.progress,
}
POST_ROUTES: dict[str, FormHandler] = {  # for operators; all but /actions/… only prepare an action for confirmation
    "/dead-letters/replay": replay_dead_letters,
    "/dead-letters/discard": discard_dead_letters,
    "/quarantine/replay": replay_entries,
    "/schedules/change": change_schedule,
    "/actions/{id}/confirm": action_pages.confirm,
    "/actions/{id}/stop": action_pages.stop,
}
UNAVAILABLE_ERRORS = (BotoCoreError, ClientError, TransientError, RedisError, DBAPIError, PoolTimeout)


def application(
    context: ConsoleContext,
    measure: Callable[[], Measurements],
    auth: Authenticator,
    names: list[str],
    *more: BaseRoute,
) -> Starlette:
    """The console for requests with these host names, with `more` routes that need no login.

    `measure` provides the overview's measurements and may block for seconds.
    """
    overview = OverviewPages(measure)
    get_routes = {"/": overview.show, "/overview": overview.show_fragment, **GET_ROUTES}
    trusted_hosts = Middleware(TrustedHostMiddleware, allowed_hosts=names)
    user_routes = [
        *(Route(path, partial(page, context), methods=["GET"]) for path, page in get_routes.items()),
        *(Route(path, _form_endpoint(context, handler), methods=["POST"]) for path, handler in POST_ROUTES.items()),
        Route("/logout", _logout(auth), methods=["POST"]),
    ]
    login = [*_login(auth)] if isinstance(auth, TokenAuth) else []
    console = Starlette(
        routes=[
            Route("/healthz", _healthy),  # under any host name, for load balancers
            Mount("/static", StaticFiles(directory=templating.HERE / "static")),
            Mount(
                "/",
                routes=[*login, *more, Mount("/", routes=user_routes, middleware=[Middleware(RequireUser, auth=auth)])],
                middleware=[trusted_hosts],
            ),
        ],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            HTTPException: _http_error,
            PermanentError: partial(_error_page, status=400),
            **dict.fromkeys(UNAVAILABLE_ERRORS, partial(_error_page, status=503)),
        },
    )
    console.state.templates = pages.templates()
    return console


def _form_endpoint(context: ConsoleContext, handler: FormHandler) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        form = await forms.operator_form(request)
        return await run_in_threadpool(handler, context, request, form)

    return endpoint


def _login(auth: TokenAuth) -> list[BaseRoute]:
    def ask(request: Request) -> Response:
        return login_form(request, local_path(request.query_params.get("next", "/")))

    async def enter(request: Request) -> Response:
        forms.check_origin(request)
        form = await forms.read(request)
        return auth.exchange(request, form.get("token", "").strip(), local_path(form.get("next", "/")))

    return [Route("/login", ask, methods=["GET"]), Route("/login", enter, methods=["POST"])]


def _logout(auth: Authenticator) -> Callable[[Request], object]:
    async def leave(request: Request) -> Response:
        await forms.session_form(request, request.state.user)
        response = RedirectResponse("/", 303)
        auth.sessions.end(response)
        return response

    return leave


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok")


def _http_error(request: Request, error: Exception) -> Response:
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return templating.error_page(request, why, status)


def _error_page(request: Request, error: Exception, status: int) -> Response:
    return templating.error_page(request, reason_of(error), status)
