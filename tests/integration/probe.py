"""A service whose handler does what the message says, and notes when it starts and ends: for tests of the engine.

python -m tests.integration.probe NOTES VISIBILITY TIME_LIMIT MAX_RECEIVES
"""

import os
import signal
import sys
import time
from pathlib import Path

from shared.engine.message import Message
from shared.engine.worker import serve
from shared.errors import PermanentError, TransientError
from shared.settings import load_settings
from shared.topology import Queue


def handle(message: Message, notes: Path) -> str:  # noqa: C901 - a table of words
    note(notes, "start", message)
    word, _, argument = message.body.partition(" ")
    match word:
        case "sleep":
            time.sleep(float(argument))
        case "permanent":
            raise PermanentError(argument)
        case "transient":
            raise TransientError(argument)
        case "transient-once" if message.receives == 1:
            raise TransientError(argument)
        case "bug":
            raise KeyError(argument)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die-once" if message.receives == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:
                time.sleep(0.1)
        case "ok" | "transient-once" | "die-once":
            pass
        case _:
            raise PermanentError(f"unknown word {word[:10]}")  # noqa: EM102, TRY003 - one use
    note(notes, "end", message)
    return "handled"


def note(notes: Path, what: str, message: Message) -> None:
    """One line, appended at once: several processes write."""
    with notes.open("a") as file:
        file.write(
            f"{what}\t{message.id}\t{message.receives}\t{os.getpid()}\t{message.attributes.get('traceparent')}\n"
        )


if __name__ == "__main__":
    notes, visibility, time_limit, max_receives = sys.argv[1:]
    queue = Queue(
        "probe",
        service="transformer",
        module=__name__,
        time_limit=int(time_limit),
        max_receives=int(max_receives),
        visibility=int(visibility),
    )
    try:
        serve(load_settings(), queue, lambda _: lambda message: handle(message, Path(notes)))
    except PermanentError as error:
        sys.exit(f"smelt: {error}")
