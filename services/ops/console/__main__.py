"""`python -m services.ops.console`: serve the console on 127.0.0.1 (or SMELT_CONSOLE_HOST) until SIGTERM or Ctrl-C."""

import os
import signal
import socket
import sys
from typing import NoReturn

import boto3
import structlog
import uvicorn
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from sqlalchemy.exc import ArgumentError

from services.ops.connections import connect
from services.ops.console import settings
from services.ops.console.auth import authenticator
from services.ops.console.routes import application
from services.ops.console.settings import ConsoleSettings
from services.ops.health import metrics
from services.ops.overview.collector import DashboardCollector, Ticker, with_short_timeouts
from services.ops.web.actions import Actions
from services.ops.web.context import ConsoleContext
from shared import telemetry
from shared.errors import PermanentError
from shared.version import VERSION

SHUTDOWN_TIMEOUT_SECONDS = 4  # slightly longer than a page waits for measurements
KEEP_ALIVE_SECONDS = (
    75  # longer than the load balancer's idle timeout (60), which would otherwise reuse a closed connection
)

log = structlog.get_logger()


def main() -> NoReturn:
    """Serve until stopped. Start-up errors are printed as one line, with exit code 1."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(
            stop, lambda *_: sys.exit(0)
        )  # effective before and after uvicorn's handlers, which re-raise the signal
    telemetry.configure("console", os.environ.get("SMELT_LOG_LEVEL", "INFO"))
    try:
        acting = connect()
        console_settings = settings.load()
        reading = with_short_timeouts(acting)
        cloudwatch = boto3.client("cloudwatch", config=Config(connect_timeout=1, read_timeout=2))
        listener = _listen(console_settings)
    except (PermanentError, BotoCoreError, ArgumentError) as error:
        sys.exit(f"smelt: {error}")
    collector, actions = DashboardCollector(reading, cloudwatch), Actions()
    context = ConsoleContext(reading, acting, actions)
    config = uvicorn.Config(
        application(
            context,
            collector,
            authenticator(console_settings),
            [*console_settings.names],
            metrics.route(reading, collector.sample),
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
    log.info("console.started", version=VERSION, url="http://{}:{}".format(*listener.getsockname()))
    ticker = Ticker(collector.sample)
    ticker.start()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        ticker.stop()
        actions.stop()
    sys.exit(0)


def _listen(console_settings: ConsoleSettings) -> socket.socket:
    try:
        return socket.create_server((console_settings.host, console_settings.port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        place = f"{console_settings.host}:{console_settings.port}"
        message = f"the console cannot listen on {place} ({reason}); SMELT_CONSOLE_PORT chooses another port"
        raise PermanentError(message) from error


if __name__ == "__main__":
    main()
