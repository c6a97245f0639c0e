"""A console that is served in this process, over measurements that are made up."""

import socket
from threading import Thread
from typing import Any, cast

import httpx
import uvicorn

from services.ops.console.auth import Authenticator, TokenAuth
from services.ops.console.routes import application
from services.ops.overview.collector import Measurements
from services.ops.web.actions import Actions
from services.ops.web.context import ConsoleContext

TOKEN, READ_TOKEN = "an operator's token", "a token to look"


class Console:
    """A served console; `shows` is what its next look measures."""

    def __init__(self, shows: Measurements, auth: Authenticator | None = None) -> None:
        self.shows = shows
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        away = cast("Any", None)  # the overview uses nothing but what is measured
        context = ConsoleContext(away, away, Actions())
        by_token = TokenAuth({"operator": TOKEN, "viewer": READ_TOKEN})
        app = application(context, lambda: self.shows, auth or by_token, ["127.0.0.1", "localhost"])
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()

    @property
    def link(self) -> str:
        """Where one comes in."""
        return f"{self.url}/?token={TOKEN}"

    def get(self, path: str = "/") -> httpx.Response:
        """A page, as somebody who has come in sees it."""
        with httpx.Client(follow_redirects=True, timeout=60) as client:
            client.get(self.link)
            return client.get(self.url + path)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
