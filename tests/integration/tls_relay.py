"""TLS before a server that has none: embedded Postgres and Valkey are built without it, RDS and ElastiCache have it."""

import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # what libpq asks before it says who it is
CHUNK = 64 << 10  # bytes
LOOK = 0.05  # s between two looks whether to end


class Relay(socketserver.ThreadingTCPServer):
    """Decrypts and passes on. `sessions` counts clients that accepted the certificate."""

    def __init__(self, target: int, context: ssl.SSLContext, *, asks_first: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target, self.context, self.asks_first = target, context, asks_first
        self.sessions, self.ended = 0, threading.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        """What does not ask for TLS, or refuses the certificate, is hung up on."""
        if self.server.asks_first:
            if self.request.recv(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            self.request.sendall(b"S")
        with suppress(OSError), self.server.context.wrap_socket(self.request, server_side=True) as client:
            self.server.sessions += 1
            with socket.create_connection(("127.0.0.1", self.server.target)) as backend:
                self._pass_on(client, backend)

    def _pass_on(self, client: ssl.SSLSocket, backend: socket.socket) -> None:
        while not self.server.ended.is_set():
            ready = [client] if client.pending() else select.select([client, backend], [], [], LOOK)[0]
            for one in ready:
                if not (data := one.recv(CHUNK)):
                    return
                (backend if one is client else client).sendall(data)


@contextmanager
def relaying(target: int, context: ssl.SSLContext, *, asks_first: bool) -> Iterator[Relay]:
    """A relay on a free port of this machine until left; `asks_first` as Postgres' clients do."""
    with Relay(target, context, asks_first=asks_first) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(LOOK,))
        thread.start()
        try:
            yield relay
        finally:
            relay.ended.set()
            relay.shutdown()
            thread.join()
