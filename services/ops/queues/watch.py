"""Sampling and drawing queues and workers repeatedly."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import typer
from botocore.config import Config
from rich.console import RenderableType
from rich.live import Live

from services.ops.cli.output import out
from services.ops.connections import Connections, connect
from services.ops.queues.monitor import Sample, monitor_of

FIRST_PAUSE_SECONDS = 1.0  # between the two samples of the first rate
CLOUDWATCH_TIMEOUT_SECONDS = 15.0  # including retries

SHORT_TIMEOUTS = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


def connected() -> Connections:
    """The deployment's connections with short timeouts."""
    return replace(connect(), sqs=boto3.client("sqs", config=SHORT_TIMEOUTS))


def samples(connections: Connections, pause: float) -> Iterator[Sample]:
    """Samples with rates, with a pause in between."""
    pulse = monitor_of(connections, boto3.client("cloudwatch", config=SHORT_TIMEOUTS), CLOUDWATCH_TIMEOUT_SECONDS)
    pulse.sample()
    time.sleep(FIRST_PAUSE_SECONDS)
    while True:
        yield pulse.sample()
        time.sleep(pause)


def draw(connections: Connections, pause: float, picture: Callable[[Sample], RenderableType], *, full: bool) -> None:
    """Draw until Ctrl-C, on the full screen or inline."""
    with Live(console=out, auto_refresh=False, screen=full, vertical_overflow="crop") as live:
        try:
            for beat in samples(connections, pause):
                live.update(picture(beat), refresh=True)
        except KeyboardInterrupt:
            return


def need_terminal(instead: str) -> None:
    """Raise BadParameter unless standard output is a terminal."""
    if not out.is_terminal:
        message = f"standard output is not a terminal: use {instead}"
        raise typer.BadParameter(message)
