"""What a stack remembers in its home: ports and passwords (`stack.json`), who runs it (`run/claim.json`), its lock."""

import fcntl
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from infra.embedded.errors import AlreadyRunning
from infra.embedded.identity import birth_of
from infra.embedded.options import Options
from infra.embedded.process import write_privately


def _password() -> str:
    return secrets.token_hex(24)  # hex: goes into URLs, SQL and configuration files without quoting


@dataclass(frozen=True)
class Secrets:
    """Passwords, generated once a home."""

    database_administrator: str = field(default_factory=_password)
    database_owner: str = field(default_factory=_password)
    cache: str = field(default_factory=_password)
    simulator: str = field(default_factory=_password)
    emulator: str = field(default_factory=_password)


@dataclass(frozen=True)
class State:
    """`stack.json`. `parts` are (name, kind, port) of the latest start; `environment` and `options` are theirs."""

    secrets: Secrets
    postgres_folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    parts: list[tuple[str, str, int | None]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    queues_made: bool = False
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class Claim:
    """Which process supervises the stack. Without it the stack has crashed, whatever parts of it still run."""

    pid: int
    birth: str | None
    token: str

    @property
    def holds(self) -> bool:
        """Whether the supervisor lives."""
        return birth_of(self.pid) == self.birth


def load(home: Path) -> State | None:
    """What the home remembers; None where no stack ever started."""
    path = home / "stack.json"
    if not path.exists():
        return None
    held = json.loads(path.read_text())
    return State(
        **held
        | {
            "secrets": Secrets(**held["secrets"]),
            "options": Options(**held.get("options", {})),
            "postgres_folder": Path(held["postgres_folder"]),
            "parts": [(name, kind, port) for name, kind, port in held["parts"]],
        }
    )


def save(home: Path, state: State) -> None:
    """Remember it, readable by the owner only."""
    write_privately(home / "stack.json", json.dumps(asdict(state), default=str, indent=2))


def claim(home: Path, pid: int) -> Claim:
    """Say that this process supervises the stack from now on."""
    made = Claim(pid, birth_of(pid), secrets.token_hex(8))
    write_privately(home / "run" / "claim.json", json.dumps(asdict(made)))
    return made


def claimed(home: Path) -> Claim | None:
    """The latest claim that was not given up."""
    path = home / "run" / "claim.json"
    try:
        written = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    return Claim(written["pid"], written["birth"], written["token"])


def give_up(home: Path) -> None:
    """Take the claim away, so that no supervisor restarts what is being stopped."""
    (home / "run" / "claim.json").unlink(missing_ok=True)


@contextmanager
def exclusively(home: Path, patience: float = 0) -> Iterator[None]:
    """Hold the lock of this home. Raises AlreadyRunning when another holds it longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    with (home / "run" / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    message = f"another command is starting or stopping the stack in {home}: wait for it"
                    raise AlreadyRunning(message) from None
            time.sleep(0.05)
        yield
