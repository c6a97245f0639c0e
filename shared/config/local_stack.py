"""The stack on this machine, which a package registers as `smelt.local_stack`. Production images have none."""

import os
from pathlib import Path
from typing import Protocol

from shared import plugins
from shared.errors import PermanentError

GROUP = "smelt.local_stack"


class LocalStack(Protocol):
    """What is needed of it; `home` is the folder of its state."""

    def environment(self, home: Path) -> dict[str, str]:
        """The variables that connect a process to the running stack. Raises PermanentError where none runs."""
        ...

    def remember_schedules(self, home: Path) -> None:
        """Keep the schedules of the running stack, if one runs, through a crash of its emulator."""
        ...


def home() -> Path:
    """Where the stack keeps its state (`SMELT_HOME`)."""
    return Path(os.environ.get("SMELT_HOME", ".smelt"))


def find() -> LocalStack | None:
    """The installed one; None in a production image."""
    return next(plugins.load(GROUP), None)


def use(needed: str) -> None:
    """Make this process's environment that of the running stack, because `needed` is not set.

    Raises PermanentError where no stack is installed or running.
    """
    stack = find()
    if stack is None:
        message = f"{needed} is not set"
        raise PermanentError(message)
    os.environ.update(stack.environment(home()))
