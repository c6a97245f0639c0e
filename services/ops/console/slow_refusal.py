"""Makes guessing a token slow: the more wrong ones there were in the last minute, the later the answer to the next."""

import time
from collections import deque
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

WINDOW_SECONDS: Final = 60.0
SECONDS_EACH: Final = 0.5
MAX_SECONDS: Final = 10.0  # a person who has mistyped must not wait for ever, whoever else guesses


class WrongTokens:
    """Those of the last minute, by whomever: behind a proxy and on one machine everybody has the same address."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque(maxlen=int(MAX_SECONDS / SECONDS_EACH))

    def count(self) -> float:
        """One more; the seconds that its answer has to wait."""
        now = time.monotonic()
        while self._moments and self._moments[0] < now - WINDOW_SECONDS:
            self._moments.popleft()
        self._moments.append(now)
        return SECONDS_EACH * len(self._moments)


class SlowResponse(Response):
    """Delays another response without blocking a thread."""

    def __init__(self, response: Response, seconds: float) -> None:
        super().__init__(status_code=response.status_code)
        self._response, self._seconds = response, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send it."""
        await anyio.sleep(self._seconds)
        await self._response(scope, receive, send)
