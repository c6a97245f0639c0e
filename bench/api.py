"""The read API, served on a port of its own by a thread of this process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import uvicorn
from pydantic import SecretStr

from services.serving.api.rate_limit import RequestLimit
from services.serving.app import application
from services.serving.gold import db_role


@contextmanager
def client(database_url: str, requests: int = 1_000_000) -> Iterator[httpx.Client]:
    """A client of it; so many requests a minute are allowed."""
    url = SecretStr(database_url)
    app = application(db_role.connect(url), db_role.connect(url), RequestLimit(requests, None), ["127.0.0.1"])
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as services.serving does
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, timeout=30, trust_env=False) as opened:
            yield opened
    finally:
        server.should_exit = True
        thread.join()
