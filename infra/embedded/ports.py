"""Which ports the stack listens on: the environment's, else those of last time, else free ones."""

import contextlib
import http.client
import os
import socket
from collections.abc import Mapping
from typing import Final

from infra.embedded.errors import StackError

HOST: Final = "127.0.0.1"
VARIABLES: Final = {
    "postgres": "SMELT_POSTGRES_PORT",
    "valkey": "SMELT_VALKEY_PORT",
    "aws": "SMELT_AWS_PORT",
    "simulator": "SMELT_SIMULATOR_PORT",
    "console": "SMELT_CONSOLE_PORT",
    "serving": "SMELT_SERVING_PORT",
}


def choose(remembered: Mapping[str, int]) -> dict[str, int]:
    """A free port for every part. Raises StackError when a port that the environment fixes is in use."""
    fixed = {part: _fixed(variable) for part, variable in VARIABLES.items() if os.environ.get(variable)}
    with contextlib.ExitStack() as held:  # all held until all are chosen, so that no port is chosen twice
        chosen = {part: _hold(held, port) for part, port in fixed.items()}
        for part, port in chosen.items():
            if port is None:
                message = f"port {fixed[part]} of {part} is in use: stop what uses it or change {VARIABLES[part]}"
                raise StackError(message)
        for part in VARIABLES.keys() - fixed.keys():
            chosen[part] = _hold(held, remembered.get(part, 0)) or _hold(held, 0)
    return {part: port for part, port in chosen.items() if port}


def accepts(port: int) -> bool:
    """Whether something accepts connections on this port."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
        return True
    return False


def is_healthy(port: int, path: str) -> bool:
    """Whether the HTTP server on this port says that it works."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _fixed(variable: str) -> int:
    text = os.environ[variable]
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        message = f"{variable}={text} is not a port: use a number from 1 to 65535"
        raise StackError(message)
    return int(text)


def _hold(held: contextlib.ExitStack, port: int) -> int | None:
    listener = held.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what stopped a moment ago does not count
    try:
        listener.bind((HOST, port))
    except OSError:
        return None
    return int(listener.getsockname()[1])
