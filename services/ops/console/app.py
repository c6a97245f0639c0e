"""The console as a web application. Whatever is measured comes from the `measure` that it is given."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ops.console import overview
from services.ops.console.gauge import Known
from services.ops.console.watch import Measurements

HERE = Path(__file__).parent
HOSTS = ["127.0.0.1", "localhost"]  # any other name in a request is a page elsewhere trying to reach us
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def application(measure: Callable[[], Measurements], *more: BaseRoute) -> Starlette:
    """The whole console, and `more` routes. `measure` may block for seconds: it is called in a thread."""

    def page(_: Request) -> Response:
        return HTMLResponse(render("page.html", measure()))

    def fragment(_: Request) -> Response:
        return HTMLResponse(render("overview.html", measure()))

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/overview", fragment),
            Route("/healthz", healthy),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            *more,
        ],
        middleware=[Middleware(_SecurityHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)],
    )


def render(template: str, measured: Measurements) -> str:
    """`page.html`, or `overview.html`: the part of it that is swapped for a newer one."""
    return _TEMPLATES.get_template(template).render(
        at=measured.at,
        verdict=overview.verdict(measured),
        unknown=overview.unknown_parts(measured),
        hops=overview.hops(measured.queues),
        database=overview.database(measured),
        dead=overview.dead(measured.queues),
        runs=overview.run_views(measured),
        rows=measured.rows,
        groups=overview.groups(measured.dead_letters.value) if isinstance(measured.dead_letters, Known) else [],
        dead_letters=measured.dead_letters,
    )


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, guarded)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _duration(seconds: float) -> str:
    """To two figures that matter: 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    for size, unit, smaller_size, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} {seconds % size // smaller_size:.0f} {smaller}"
    return f"{max(seconds, 0):.1f} s"


def _readable(body: str) -> str:
    """A message's body for the eye: JSON indented, anything else as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, duration=_duration, readable=_readable, number="{:,}".format)
    environment.globals["SLOTS"] = overview.SLOTS
    return environment


_TEMPLATES = _templates()
