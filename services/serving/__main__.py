"""`python -m services.serving`: serve API and page on 127.0.0.1:8430 (SMELT_SERVING_HOST, …_PORT) until SIGTERM."""

import os
import signal
import socket
import sys
from contextlib import suppress
from threading import Event, Thread
from typing import NoReturn

import structlog
import uvicorn

from services.serving.api.rate_limit import Limit
from services.serving.app import application
from services.serving.gold import db_role
from services.serving.gold.refresher import keeper, refresh_forever
from services.serving.settings import ServingSettings, load_settings
from shared import telemetry
from shared.database.migrate import engine_of
from shared.errors import PermanentError
from shared.version import VERSION

SOFT_STOP = 5  # s for answers under way: a statement's time limit
KEEP_ALIVE = 75  # s; longer than a load balancer keeps an idle connection (60), or it would use one just closed
EXPORTS = 2  # at a time

log = structlog.get_logger()


def main() -> NoReturn:
    """Serve; what prevents it is one line on standard error and exit code 1."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))  # before uvicorn's handlers, and after: it raises the signal again
    try:
        settings = load_settings()
        telemetry.configure("serving", settings.log_level)
        db_role.grant_read_access(engine_of(settings.database_url.get_secret_value()))
        listening = _listen(settings)
    except PermanentError as error:
        sys.exit(f"smelt: {error}")
    if settings.serving_refresh_seconds:
        Thread(
            target=refresh_forever, args=(keeper(settings), settings.serving_refresh_seconds, Event()), daemon=True
        ).start()
    log.info("serving.started", version=VERSION, url="http://{}:{}".format(*listening.getsockname()))
    with suppress(SystemExit):
        uvicorn.Server(_configuration(settings)).run(sockets=[listening])
    # At once: the keeper may be in native code, which aborts when the interpreter ends under it. Its transactions and
    # uploads are whole or not there.
    os._exit(0)


def _configuration(settings: ServingSettings) -> uvicorn.Config:
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return uvicorn.Config(
        application(
            db_role.connect(settings.database_url),
            db_role.connect(settings.database_url, EXPORTS),
            Limit(settings.serving_requests_per_minute, redis_url),
        ),
        access_log=False,
        log_config=None,
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SOFT_STOP,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
    )


def _listen(settings: ServingSettings) -> socket.socket:
    host, port = settings.serving_host, settings.serving_port
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        message = f"serving cannot listen on {host}:{port} ({reason}); SMELT_SERVING_PORT chooses another port"
        raise PermanentError(message) from error
    # asyncio does not do so for a socket it has not made; without it, an answer waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


if __name__ == "__main__":
    main()
