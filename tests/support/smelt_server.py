"""The command `smelt` without the second of CPU that its imports take: one process has them, and forks for each call.

A fork has the caller's arguments, environment, folder and streams; its exit code is the caller's, and signals to the
caller reach it. What stays until it is ended (`smelt up`, `smelt worker`) is the installed program itself.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from functools import cache
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).parents[2]
INSTALLED = Path(sys.executable).parent / "smelt"
CLIENT = """#!{python} -IS
import json, os, signal, socket, sys

stays = sys.argv[1:2] == ["worker"] or (sys.argv[1:2] == ["up"] and "--detach" not in sys.argv)
if stays or "SMELT_DATASETS" in os.environ:
    os.execv({installed!r}, [{installed!r}, *sys.argv[1:]])
request = {{"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}}
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b"\\n"], [0, 1, 2])
    server.sendall(json.dumps(request).encode())
    server.shutdown(socket.SHUT_WR)
    answer = server.makefile("rb")
    pid = int(answer.readline())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    sys.exit(int(answer.read() or 128 + signal.SIGKILL))
"""


@cache
def program() -> Path:
    """The path of a `smelt` that is answered by a server, which is started now and ends with this process."""
    folder = Path(tempfile.mkdtemp(prefix="smelt-command-"))
    address, command = str(folder / "socket"), folder / "smelt"
    command.write_text(CLIENT.format(python=sys.executable, installed=str(INSTALLED), address=address))
    command.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SMELT_", "AWS_"))}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.smelt_server", address],
        cwd=REPOSITORY,
        env=kept | {"COLUMNS": "200"},
        stdin=subprocess.PIPE,  # its end is the server's end, however this process ends
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert server.stdout
    assert server.stdout.readline() == b"ready\n"
    atexit.register(server.communicate)
    return command


def serve(address: str) -> None:
    """Fork for each call, until standard input ends."""
    from infra.embedded import stack  # noqa: F401 - imported by commands when they run
    from services.ops import main

    for command in main.Commands.lazy_commands.values():
        command.load()

    gc.freeze()  # a fork would otherwise copy all of it when it looks for garbage as it ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(64)
        os.write(1, b"ready\n")
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _run(connection)
            connection.close()


def _run(connection: socket.socket) -> NoReturn:
    """Ends like any Python process, after which the caller reads the end of the connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as text:
        request = json.load(text)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0), os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["smelt", *request["arguments"]]
    connection.sendall(b"%d\n" % os.getpid())
    code = _exit_code()
    sys.stdout.flush()
    connection.sendall(b"%d" % code)
    sys.exit(code)


def _exit_code() -> int:
    from services.ops import main

    try:
        main.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:  # noqa: BLE001 - as Python itself ends
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    serve(sys.argv[1])
