"""Faults on request: how many of the next answers fail, and how."""

import asyncio
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.embedded.simulator.answers import error
from infra.embedded.simulator.body_faults import REWRITES, Body, Circle, growing, rewritten

_SETTINGS: Final = {"retry_after", "slow_seconds", "every", "code", "location", "grow_by"}


class Plan(BaseModel):
    """How many of the next API requests fail in which way, in this order; with `every` = k only each k-th of them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)

    too_many: int = Field(default=0, alias="429", ge=0)
    server_error: int = Field(default=0, alias="500", ge=0)
    unauthorized: int = Field(default=0, alias="401", ge=0)
    html200: int = Field(default=0, ge=0)
    truncate: int = Field(default=0, ge=0)
    slow: int = Field(default=0, ge=0)
    status: int = Field(default=0, ge=0)  # answers with the status `code`, to `location` where that is a redirect
    newline: int = Field(default=0, ge=0)
    byte_order_mark: int = Field(default=0, ge=0)
    utf16: int = Field(default=0, ge=0)
    utf32: int = Field(default=0, ge=0)
    indented: int = Field(default=0, ge=0)
    message200: int = Field(default=0, ge=0)
    null200: int = Field(default=0, ge=0)
    null_list: int = Field(default=0, ge=0)
    absent_list: int = Field(default=0, ge=0)
    raw_tab: int = Field(default=0, ge=0)
    bad_escape: int = Field(default=0, ge=0)
    growing_total: int = Field(default=0, ge=0)  # announces `grow_by` rows more than there are
    repeated_token: int = Field(default=0, ge=0)  # Historic JOA: every page leads to the second
    token_circle: int = Field(default=0, ge=0)  # ... every other page leads to the second, the rest to the third
    code: int = Field(default=503, ge=300, le=599)
    location: str = ""  # the request's own address, where empty
    grow_by: int = Field(default=5, ge=1)
    retry_after: int = Field(default=1, ge=0)  # seconds
    slow_seconds: float = Field(default=1, ge=0, le=600)
    every: int = Field(default=1, ge=1)


class Faults:
    """A plan and how much of it is left."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._requests = plan, 0
        self._rewrites: dict[str, Body] = {
            **REWRITES,
            "growing_total": growing(plan.grow_by),
            "repeated_token": Circle(1),
            "token_circle": Circle(2),
        }
        self._left: dict[str, int] = {kind: n for kind, n in plan.model_dump().items() if kind not in _SETTINGS}

    @property
    def state(self) -> dict[str, float]:
        """The plan with what is left of each kind."""
        return self._plan.model_dump() | self._left

    def take(self) -> str | None:
        """The kind of fault of the next request, counted down."""
        self._requests += 1
        if self._requests % self._plan.every:
            return None
        kind = next((kind for kind, left in self._left.items() if left), None)
        if kind:
            self._left[kind] -= 1
        return kind

    def around(self, app: ASGIApp) -> ASGIApp:
        """`app` as the next request meets it."""
        kind = self.take()
        if kind == "slow":
            return self._slow(app)
        if kind == "truncate":
            return _truncated(app)
        if kind in self._rewrites:
            return rewritten(app, self._rewrites[kind])
        return self._answer(kind) if kind else app

    def _slow(self, app: ASGIApp) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(self._plan.slow_seconds)
            await app(scope, receive, send)

        return slow

    async def _with_status(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Retry-After": str(self._plan.retry_after)} if self._plan.retry_after else {}
        if self._plan.code < 400:  # noqa: PLR2004 - a redirect
            own = f"{scope['path']}?{scope['query_string'].decode()}"
            headers["Location"] = self._plan.location or own
        await error(self._plan.code, "As asked for.", headers)(scope, receive, send)

    def _answer(self, kind: str) -> ASGIApp:
        if kind == "status":
            return self._with_status
        if kind == "429":
            return error(429, "Too many requests.", {"Retry-After": str(self._plan.retry_after)})
        if kind == "401":
            return error(401, "Authorization has been denied for this request.")
        if kind == "500":
            return HTMLResponse("<html><body><h1>Server Error</h1></body></html>", 500)
        return HTMLResponse("<html><body><h1>Down for maintenance</h1></body></html>")


def _truncated(app: ASGIApp) -> ASGIApp:
    async def truncated(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_half(message: Message) -> None:
            if message["type"] == "http.response.body":
                body = message["body"]
                # An unfinished body makes the server close the connection, short of the Content-Length already sent.
                message = {**message, "body": body[: len(body) // 2], "more_body": True}
            await send(message)

        await app(scope, receive, send_half)

    return truncated
