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

from services.serving.api.rate_limit import RequestLimit
from services.serving.app import application
from services.serving.gold import db_role
from services.serving.gold.refresher import refresh_forever, updater
from services.serving.settings import ServingSettings, load_settings
from shared import telemetry
from shared.database.migrate import engine_of
from shared.errors import PermanentError
from shared.version import VERSION

SHUTDOWN_TIMEOUT_SECONDS = 5  # for requests in flight, as long as a statement may take; longer exports are aborted
KEEP_ALIVE_SECONDS = (
    75  # s; exceeds the load balancer's idle timeout (60), which would otherwise reuse a closed connection
)
MAX_CONCURRENT_EXPORTS = 2

log = structlog.get_logger()


def main() -> NoReturn:
    """Serve until stopped. Start-up errors are printed as one line, with exit code 1."""
    # Effective before uvicorn installs its handlers and after it removes them: it re-raises the signal it received.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = load_settings()
        telemetry.configure("serving", settings.log_level)
        db_role.grant_read_access(engine_of(settings.database_url.get_secret_value()))
        listener = _listen(settings)
    except PermanentError as error:
        sys.exit(f"smelt: {error}")
    if settings.serving_refresh_seconds:
        Thread(
            target=refresh_forever, args=(updater(settings), settings.serving_refresh_seconds, Event()), daemon=True
        ).start()
    log.info("serving.started", version=VERSION, url="http://{}:{}".format(*listener.getsockname()))
    with suppress(SystemExit):
        uvicorn.Server(_configuration(settings)).run(sockets=[listener])
    # The refresh thread may be in native code, which would abort during interpreter shutdown. Its transactions and
    # uploads are atomic, so it can be killed.
    os._exit(0)


def _configuration(settings: ServingSettings) -> uvicorn.Config:
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    return uvicorn.Config(
        application(
            db_role.connect(settings.database_url),
            db_role.connect(settings.database_url, MAX_CONCURRENT_EXPORTS),
            RequestLimit(settings.serving_requests_per_minute, redis_url),
            settings.serving_names,
        ),
        access_log=False,
        log_config=None,
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
    )


def _listen(settings: ServingSettings) -> socket.socket:
    host, port = settings.serving_host, settings.serving_port
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        message = f"serving cannot listen on {host}:{port} ({reason}); SMELT_SERVING_PORT chooses another port"
        raise PermanentError(message) from error
    # asyncio sets this only for sockets with protocol IPPROTO_TCP, and create_server leaves it 0. Without it, Nagle's
    # algorithm and delayed acknowledgements add 40 ms to a response.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


if __name__ == "__main__":
    main()
