"""Faults on request: how many of the next answers fail, and how."""

import asyncio
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.embedded.simulator.answers import error

_SETTINGS: Final = {"retry_after", "slow_seconds", "every"}


class Plan(BaseModel):
    """How many of the next API requests fail in which way, in this order; with `every` = k only each k-th of them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, serialize_by_alias=True)

    too_many: int = Field(default=0, alias="429", ge=0)
    server_error: int = Field(default=0, alias="500", ge=0)
    unauthorized: int = Field(default=0, alias="401", ge=0)
    html200: int = Field(default=0, ge=0)
    truncate: int = Field(default=0, ge=0)
    slow: int = Field(default=0, ge=0)
    retry_after: int = Field(default=1, ge=0)  # seconds
    slow_seconds: float = Field(default=1, ge=0, le=600)
    every: int = Field(default=1, ge=1)


class Faults:
    """A plan and how much of it is left."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._requests = plan, 0
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
        return self._answer(kind) if kind else app

    def _slow(self, app: ASGIApp) -> ASGIApp:
        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(self._plan.slow_seconds)
            await app(scope, receive, send)

        return slow

    def _answer(self, kind: str) -> Response:
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
