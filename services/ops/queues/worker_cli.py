"""`smelt worker`: one worker in the foreground."""

import os
import sys
from typing import Annotated

import typer

from shared.config.topology import QUEUES, queue_of
from shared.errors import PermanentError

SERVICES = [queue.service for queue in QUEUES]


def worker(service: Annotated[str, typer.Argument(help=", ".join(SERVICES), autocompletion=lambda: SERVICES)]) -> None:
    """Run one worker in the foreground until SIGTERM or Ctrl-C.

    Example: eval "$(smelt env)" && smelt worker loader
    """
    if service not in SERVICES:
        message = f"no service {service!r}; known: {', '.join(SERVICES)}"
        raise PermanentError(message)
    os.execv(sys.executable, [sys.executable, "-m", queue_of(service).module])  # noqa: S606 - this very Python
