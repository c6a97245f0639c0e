"""Looking at queues and workers again and again, and drawing what was seen."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import boto3
import typer
from botocore.config import Config
from rich.console import RenderableType
from rich.live import Live

from services.ops import measure
from services.ops.commands.terminal import out
from services.ops.connections import Connections, connect
from services.ops.flow import Flow, flows
from services.ops.measure import Look

FIRST_PAUSE = 1.0  # s between the two looks that a rate takes
WINDOW = 5  # looks that rates are measured over, so that one odd second does not shake them
AGES_LAST = 60.0  # s: CloudWatch has a new value every minute

IMPATIENT = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})


class Watch:
    """Looks at one deployment through clients that give up soon, and remembers what rates take."""

    def __init__(self) -> None:
        self.connections: Connections = replace(connect(), sqs=boto3.client("sqs", config=IMPATIENT))
        self._cloudwatch = boto3.client("cloudwatch", config=IMPATIENT)
        self._looks: deque[Look] = deque(maxlen=WINDOW)
        self._ages: dict[str, float] = {}
        self._aged = float("-inf")

    def look(self) -> tuple[Look, list[Flow]]:
        """A new look, and the flows since the first one remembered."""
        if time.monotonic() - self._aged > AGES_LAST:
            self._ages, self._aged = measure.oldest(self._cloudwatch, self.connections), time.monotonic()
        self._looks.append(measure.look(self.connections))
        earlier = self._looks[0] if len(self._looks) > 1 else None
        return self._looks[-1], flows(earlier, self._looks[-1], self._ages)

    def looks(self, pause: float) -> Iterator[tuple[Look, list[Flow]]]:
        """Look after look; the first one that is given knows rates."""
        self.look()
        time.sleep(FIRST_PAUSE)
        while True:
            yield self.look()
            time.sleep(pause)


def draw(watch: Watch, pause: float, picture: Callable[[Look, list[Flow]], RenderableType], *, full: bool) -> None:
    """Draw until Ctrl-C, on the whole screen or below the prompt."""
    with Live(console=out, auto_refresh=False, screen=full, vertical_overflow="crop") as live:
        try:
            for look, found in watch.looks(pause):
                live.update(picture(look, found), refresh=True)
        except KeyboardInterrupt:
            return


def need_terminal(instead: str) -> None:
    """What is drawn again and again needs a terminal."""
    if not out.is_terminal:
        message = f"this draws on a terminal, and standard output is none: use {instead}"
        raise typer.BadParameter(message)
