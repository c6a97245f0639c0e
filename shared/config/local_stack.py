"""Access to the embedded stack, which a package registers as `smelt.local_stack`; production images have none."""

import os
from pathlib import Path
from typing import Protocol

from shared import plugins
from shared.errors import PermanentError

GROUP = "smelt.local_stack"


class LocalStack(Protocol):
    """The interface of the embedded stack; `home` is the folder of its state."""

    def environment(self, home: Path) -> dict[str, str]:
        """Environment variables that connect a process to the running stack. Raises PermanentError if none runs."""
        ...

    def remember_schedules(self, home: Path) -> None:
        """Save the schedules of the running stack, so that they survive a crash of the emulator."""
        ...


def home() -> Path:
    """The folder of the stack's state (`SMELT_HOME`)."""
    return Path(os.environ.get("SMELT_HOME", ".smelt"))


def find() -> LocalStack | None:
    """The installed stack; None in a production image."""
    return next(plugins.load(GROUP), None)


def use(needed: str) -> None:
    """Update this process's environment with that of the running stack, as variable `needed` is not set.

    Raises PermanentError if no stack is installed or running.
    """
    stack = find()
    if stack is None:
        message = f"{needed} is not set"
        raise PermanentError(message)
    os.environ.update(stack.environment(home()))
