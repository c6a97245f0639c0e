"""A run in a list."""

from dataclasses import dataclass

from services.ops.runs.runs import Run


@dataclass(frozen=True)
class RunView:
    """A run with its state: complete, running, incomplete or unknown."""

    run: Run
    state: str
    dead: int  # number of its dead letters
