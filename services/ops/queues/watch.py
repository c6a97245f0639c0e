"""Looking at queues and workers again and again, and drawing what was seen."""

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

FIRST_PAUSE_SECONDS = 1.0  # s between the two looks that a rate takes
CLOUDWATCH_TIMEOUT_SECONDS = 15.0  # s for CloudWatch: all its attempts

SHORT_TIMEOUTS = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


def connected() -> Connections:
    """The deployment, through clients that give up soon."""
    return replace(connect(), sqs=boto3.client("sqs", config=SHORT_TIMEOUTS))


def samples(connections: Connections, pause: float) -> Iterator[Sample]:
    """Look after look; the first one that is given knows rates."""
    pulse = monitor_of(connections, boto3.client("cloudwatch", config=SHORT_TIMEOUTS), CLOUDWATCH_TIMEOUT_SECONDS)
    pulse.beat()
    time.sleep(FIRST_PAUSE_SECONDS)
    while True:
        yield pulse.beat()
        time.sleep(pause)


def draw(connections: Connections, pause: float, picture: Callable[[Sample], RenderableType], *, full: bool) -> None:
    """Draw until Ctrl-C, on the whole screen or below the prompt."""
    with Live(console=out, auto_refresh=False, screen=full, vertical_overflow="crop") as live:
        try:
            for beat in samples(connections, pause):
                live.update(picture(beat), refresh=True)
        except KeyboardInterrupt:
            return


def need_terminal(instead: str) -> None:
    """What is drawn again and again needs a terminal."""
    if not out.is_terminal:
        message = f"this draws on a terminal, and standard output is none: use {instead}"
        raise typer.BadParameter(message)
