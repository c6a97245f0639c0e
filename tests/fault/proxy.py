"""A TCP proxy on loopback that can be told to misbehave: between the workers and the AWS emulator or Postgres."""

import socket
import threading
import time
from contextlib import suppress

CHUNK = 65_536


def _answer(status: str, code: str) -> bytes:
    body = f"<Error><Code>{code}</Code><Message>as the proxy was told</Message></Error>".encode() if code else b""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


ANSWERS = {
    "503": _answer("503 Slow Down", ""),
    **{code: _answer("400 Bad Request", code) for code in ("ExpiredToken", "RequestTimeout", "ThrottlingException")},
    "SlowDown": _answer("503 Slow Down", "SlowDown"),
}
EARLY = 700  # bytes of an answer that come through before it is cut short


class Proxy:
    """Forwards to `port`.

    `mode`: pass, cut (nothing gets through), silent (everything is taken and nothing answered), early (answers end
    early), slow, or what is answered instead: 503 to everything, or one of S3's codes in ANSWERS to what is for S3.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.target = port
        self.mode = "pass"
        self._listener = socket.create_server((host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def set(self, mode: str) -> None:
        """Change the mode; what is open is cut, so that it holds from now on."""
        self.mode = mode
        for one in list(self._open):
            _close(one)

    def hush(self) -> None:
        """Silent from now on, also on the connections that are open."""
        self.mode = "silent"

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        mode = self.mode
        try:
            if mode == "cut":
                return
            if mode == "silent":
                _swallow(client)
                return
            if mode == "503" or (mode in ANSWERS and _is_for_s3(client)):
                client.recv(CHUNK)
                client.sendall(ANSWERS[mode])
                return
            with socket.create_connection(("127.0.0.1", self.target), timeout=5) as server:
                server.settimeout(None)
                self._open |= {client, server}
                threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
                self._pump(server, client, mode)
        except OSError:
            pass
        finally:
            self._open.discard(client)
            _close(client)

    def _pump(self, source: socket.socket, sink: socket.socket, mode: str = "pass") -> None:
        sent = 0
        with suppress(OSError):
            while data := source.recv(CHUNK):
                if self.mode == "silent":
                    continue
                if mode == "early" and sent + len(data) > EARLY:
                    sink.sendall(data[: max(0, EARLY - sent)])
                    break
                if mode == "slow":
                    time.sleep(0.2)
                sink.sendall(data)
                sent += len(data)
        _close(sink)


def _swallow(client: socket.socket) -> None:
    with suppress(OSError):
        while client.recv(CHUNK):
            pass


def _is_for_s3(client: socket.socket) -> bool:
    """SQS is spoken to by POST only, and each client of boto3 has connections of its own."""
    return not client.recv(5, socket.MSG_PEEK).startswith(b"POST")


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
