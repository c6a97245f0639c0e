"""Middleware: pages need an authenticated user, and every response carries security headers."""

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ops.console.auth import Authenticator
from services.ops.web.user import User

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: with that a browser does not say where a form comes from either.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC = "no-cache"  # what holds nothing of anybody may be kept and asked for again


class RequireUser:
    """Puts the user into `request.state.user`, or answers as the authenticator says when authentication fails."""

    def __init__(self, app: ASGIApp, auth: Authenticator) -> None:
        self._app, self._auth = app, auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope)
        result = await run_in_threadpool(self._auth.authenticate, request)
        if isinstance(result, Response):
            await result(scope, receive, send)
            return
        request.state.user = result
        known = request.cookies.get(self._auth.sessions.cookie) == result.session
        await self._app(scope, receive, send if known else self._introducing(send, result))

    def _introducing(self, send: Send, user: User) -> Send:
        cookie = Response()
        self._auth.sessions.keep(cookie, user, secure=self._auth.secure)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie.headers["set-cookie"])
            await send(message)

        return sending


class SecurityHeaders:
    """On every answer, whatever it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = STATIC
            await send(message)

        await self._app(scope, receive, guarded)
