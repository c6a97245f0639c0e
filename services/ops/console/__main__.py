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

SOFT_STOP = 4  # s for pages under way: a little more than a page waits for its measurements
KEEP_ALIVE = 75  # s; longer than a load balancer keeps an idle connection (60), or it would use one just closed

log = structlog.get_logger()


def main() -> NoReturn:
    """Serve; what prevents it is one line on standard error and exit code 1."""
    for stop in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop, lambda *_: sys.exit(0))  # before uvicorn's handlers, and after: it raises the signal again
    telemetry.configure("console", os.environ.get("SMELT_LOG_LEVEL", "INFO"))
    try:
        acting = connect()
        chosen = settings.load()
        reading = with_short_timeouts(acting)
        cloudwatch = boto3.client("cloudwatch", config=Config(connect_timeout=1, read_timeout=2))
        listening = _listen(chosen)
    except (PermanentError, BotoCoreError, ArgumentError) as error:
        sys.exit(f"smelt: {error}")
    watch, actions = DashboardCollector(reading, cloudwatch), Actions()
    context = ConsoleContext(reading, acting, actions)
    config = uvicorn.Config(
        application(context, watch, authenticator(chosen), [*chosen.names], metrics.route(reading, watch.beat)),
        access_log=False,
        log_config=None,
        log_level="warning",
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SOFT_STOP,
        timeout_keep_alive=KEEP_ALIVE,
        server_header=False,
    )
    log.info("console.started", version=VERSION, url="http://{}:{}".format(*listening.getsockname()))
    metronome = Ticker(watch.beat)
    metronome.start()
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        metronome.stop()
        actions.stop()
    sys.exit(0)


def _listen(chosen: ConsoleSettings) -> socket.socket:
    try:
        return socket.create_server((chosen.host, chosen.port))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        place = f"{chosen.host}:{chosen.port}"
        message = f"the console cannot listen on {place} ({reason}); SMELT_CONSOLE_PORT chooses another port"
        raise PermanentError(message) from error


if __name__ == "__main__":
    main()
