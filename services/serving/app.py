"""The web application: API and page, with security headers, ETags and rate limit."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from sqlalchemy import Engine
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.serving.api import export, routes
from services.serving.api.rate_limit import RequestLimit
from services.serving.database import ApiError
from services.serving.datasets import routes as datasets
from shared.version import VERSION

HERE = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; object-src 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
MAX_AGE_SECONDS = 30  # s of client-side caching; gold changes when a run completes
MAX_DETAIL_LENGTH = 1_000  # characters
ABOUT = (
    "US federal job postings, from the gold tables: search, one posting with its history and lineage, statistics, and "
    "export. The rows of every dataset, by its contract. Read-only. Dates are UTC."
)


def application(query_engine: Engine, export_engine: Engine, limit: RequestLimit, names: Sequence[str]) -> FastAPI:
    """The application for requests to these host names. Both engines connect with the read role."""
    app = FastAPI(title="smelt", version=VERSION, description=ABOUT, docs_url=None, redoc_url=None)

    @app.exception_handler(ApiError)
    def api_error(_: Request, refusal: ApiError) -> JSONResponse:
        after = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
        return JSONResponse({"detail": refusal.detail}, refusal.status, headers=after)

    @app.exception_handler(RequestValidationError)
    def invalid_request(_: Request, error: RequestValidationError) -> JSONResponse:
        messages = (
            f"{'.'.join(str(part) for part in problem['loc'][1:])}: {problem['msg']}" for problem in error.errors()
        )
        return JSONResponse(
            {"detail": "; ".join(problem.removeprefix(": ") for problem in messages)[:MAX_DETAIL_LENGTH]}, 422
        )

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(HERE / "static" / "index.html")

    @app.get("/docs", include_in_schema=False)
    def documentation() -> FileResponse:
        return FileResponse(HERE / "static" / "docs.html")

    @app.get("/healthz", include_in_schema=False)
    async def healthy() -> Response:
        return Response("ok", media_type="text/plain")

    app.include_router(routes.routes(query_engine))
    app.include_router(export.routes(query_engine, export_engine))
    app.include_router(datasets.routes(query_engine, export_engine))
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.mount("/docs-assets", StaticFiles(directory=Path(fastapi_offline.__file__).parent / "static"))
    app.add_middleware(_ETags)
    app.add_middleware(_HeadRequests)
    app.add_middleware(_RateLimiting, limit=limit)
    app.add_middleware(_TrustedHosts, allowed_hosts=names)
    app.add_middleware(_ResponseHeaders)
    return app


class _TrustedHosts(TrustedHostMiddleware):
    """Rejects other Host headers, except for the health check, which a load balancer requests by address."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.app if scope.get("path") == "/healthz" else super().__call__)(scope, receive, send)


class _HeadRequests:
    """Handles HEAD as GET, and sends no body. `scope["head"]` tells a handler that the body is not needed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def without_body(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET", "head": True}, receive, without_body)
        else:
            await self._app(scope, receive, send)


class _ResponseHeaders:
    """Adds security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                MutableHeaders(scope=message).setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, guarded)


class _RateLimiting:
    """Limits requests per client address."""

    def __init__(self, app: ASGIApp, limit: RequestLimit) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client") or ("",)
        if scope["type"] == "http" and scope["path"].startswith("/v1/") and (wait := self._limit.wait(client[0])):
            answer = JSONResponse({"detail": "too many requests"}, 429, headers={"Retry-After": str(wait)})
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _ETags:
    """Adds an ETag to responses other than files, and returns 304 if it matches."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def tagged(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            if start["status"] != 200 or "content-disposition" in Headers(raw=start["headers"]):  # noqa: PLR2004 - OK
                await send(message)
            elif message["type"] == "http.response.body":
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await _send_tagged(scope, start, body, send)

        await self._app(scope, receive, tagged)


async def _send_tagged(scope: Scope, start: Message, body: bytes, send: Send) -> None:
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = MutableHeaders(scope=start)
    headers.update({"ETag": tag, "Cache-Control": f"public, max-age={MAX_AGE_SECONDS}"})
    tags = {
        candidate.strip().removeprefix("W/") for candidate in Headers(scope=scope).get("if-none-match", "").split(",")
    }
    if tags & {tag, "*"}:
        start["status"], body = 304, b""
        del headers["Content-Length"]
        del headers["Content-Type"]
    await send(start)
    await send({"type": "http.response.body", "body": body})
