"""Middleware for authentication and security headers."""

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
    # With `no-referrer` browsers would also omit the Origin of forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC = "no-cache"  # static files may be cached with revalidation


class RequireUser:
    """Sets `request.state.user`, or sends the authenticator's response if authentication fails."""

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
        has_cookie = request.cookies.get(self._auth.sessions.cookie) == result.session
        await self._app(scope, receive, send if has_cookie else self._with_cookie(send, result))

    def _with_cookie(self, send: Send, user: User) -> Send:
        cookie = Response()
        self._auth.sessions.keep(cookie, user, secure=self._auth.secure)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie.headers["set-cookie"])
            await send(message)

        return sending


class SecurityHeaders:
    """Adds security headers to every response."""

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
