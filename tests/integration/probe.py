"""A service whose handler does what the message says, and notes when it starts and ends: for tests of the engine.

python -m tests.integration.probe NOTES VISIBILITY TIME_LIMIT MAX_RECEIVES
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from shared.config.settings import load_settings
from shared.config.topology import Queue
from shared.engine import child_watch
from shared.engine.message import Message
from shared.engine.worker import serve
from shared.errors import PermanentError, TransientError, UnavailableError
from shared.formats.s3_events import created_objects


def handle(message: Message, notes: Path) -> str:  # noqa: C901, PLR0912 - a table of words
    note(notes, "start", message)
    word, _, argument = (_key(message.body) or message.body).partition(" ")
    match word:
        case "sleep":
            time.sleep(float(argument))
        case "permanent":
            raise PermanentError(argument)
        case "transient":
            raise TransientError(argument)
        case "wait" if not message.was_tried:
            raise TransientError("told to wait", after=float(argument))  # noqa: EM101, TRY003 - one use
        case "need-database" if away(notes):
            raise UnavailableError("refused", "database")  # noqa: EM101 - one use
        case "stuck":
            _never_return()
        case "transient-once" if message.attempts == 1:
            raise TransientError(argument)
        case "bug":
            raise KeyError(argument)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die-once" if message.attempts == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            while True:
                time.sleep(0.1)
        case "ok" | "transient-once" | "die-once" | "need-database" | "wait":
            pass
        case _:
            raise PermanentError(f"unknown word {word[:10]}")  # noqa: EM102, TRY003 - one use
    note(notes, "end", message)
    return "handled"


def away(notes: Path) -> bool:
    """Whether the database that this service pretends to need is away: a file says so."""
    return notes.with_name("away").exists()


def ask_database(notes: Path) -> None:
    """The probe of it."""
    with notes.with_name("probed").open("a") as file:
        file.write("x")
    if away(notes):
        raise UnavailableError("still refused", "database")  # noqa: EM101, TRY003 - one use


def _key(body: str) -> str:
    """The word may be the key of an object in an event."""
    try:
        return created_objects(body)[0].key
    except (PermanentError, IndexError):
        return ""


def _never_return() -> None:
    """Code in C that no signal brings back to Python: a mutex locked by the thread that waits for it."""
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.CDLL(None).pthread_mutex_lock(mutex)


def note(notes: Path, what: str, message: Message) -> None:
    """One line, appended at once: several processes write."""
    with notes.open("a") as file:
        file.write(
            f"{what}\t{message.id}\t{message.receives}\t{os.getpid()}\t{message.attributes.get('traceparent')}"
            f"\t{message.attempts}\n"
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
        child_watch.SILENCE_LIMIT_SECONDS = float(os.environ.get("PROBE_SILENCE_LIMIT", "90"))
        serve(
            load_settings(),
            queue,
            lambda _: lambda message: handle(message, Path(notes)),
            probes=lambda _: {"database": lambda: ask_database(Path(notes))},
        )
    except PermanentError as error:
        sys.exit(f"smelt: {error}")
