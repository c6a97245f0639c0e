"""A run as a list shows it."""

from dataclasses import dataclass

from services.ops.runs.runs import Run


@dataclass(frozen=True)
class RunView:
    """A run, and what is known about whether it goes on: complete, running, incomplete or unknown."""

    run: Run
    state: str
    dead: int  # dead letters that name it
