"""A server that does exactly what a test tells it, for answers that no sane server gives."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

import requests

from app.sync.images.stores.glance.transport import BoundedAdapter, Limits

Handler = Callable[["Connection"], None]
QUICK = Limits(connect_seconds=5, read_seconds=5, stall_seconds=5)


class Connection:
    """One accepted connection: requests come in, bytes go out."""

    def __init__(self, sock: socket.socket, server: Scripted) -> None:
        self.sock = sock
        self.server = server
        self._rest = b""

    def head(self) -> str:
        """The next request's head; empty when the client hung up."""
        while b"\r\n\r\n" not in self._rest:
            got = self.sock.recv(65536)
            if not got:
                return ""
            self._rest += got
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        self.server.heads.append(head.decode())
        return head.decode()

    def request(self) -> str:
        """The next request with its whole body of announced length; its head."""
        head = self.head()
        announced = head.lower().partition("content-length: ")[2].split()
        self.body(int(announced[0]) if announced else 0)
        return head

    def body(self, size: int) -> bytes:
        """So many bytes of the request's body, or what came before the client hung up."""
        while len(self._rest) < size:
            got = self.sock.recv(65536)
            if not got:
                break
            self._rest += got
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A complete answer; header names with underscores for dashes."""
        fields = {"Content-Length": str(len(body)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode() + body)

    def json(self, value: object, status: int = 200, **headers: str) -> None:
        """A complete answer of JSON."""
        self.answer(status, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def until_closed(self) -> bytes:
        """Everything that still comes until the client hangs up."""
        pieces = [self._rest]
        while got := self._receive():
            pieces.append(got)
        return b"".join(pieces)

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except ConnectionError:
            return b""


class Scripted:
    """The server. ``heads`` are the request heads seen, ``connections`` how often clients came."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._handler = handler
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._accept)

    def close(self) -> None:
        """Hang up everywhere and wait for the threads."""
        self.stopped.set()
        for sock in [self._listener, *self._open]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in list(self._threads):
            thread.join(5)
        for sock in [self._listener, *self._open]:
            sock.close()

    def _spawn(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            self._spawn(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        try:
            connection = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
            with connection:
                self._handler(Connection(connection, self))
        except OSError:
            sock.close()


@contextmanager
def scripted(handler: Handler, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A running server; closed at the end whatever happens."""
    with ExitStack() as stack:
        server = Scripted(handler, tls)
        stack.callback(server.close)
        yield server


def client(limits: Limits = QUICK, verify: str | bool = True) -> requests.Session:
    """A session on our transport. It must not use a proxy of the environment."""
    session = requests.Session()
    session.trust_env = False
    session.verify = verify
    for scheme in ("http://", "https://"):
        session.mount(scheme, BoundedAdapter("Burgos", limits))
    return session


def catalog(urls: Mapping[str, str], interface: str = "public") -> list[dict[str, object]]:
    """A token's catalogue with an image endpoint for every region."""
    endpoints = [
        {"interface": interface, "region_id": region, "region": region, "url": url, "id": region}
        for region, url in urls.items()
    ]
    return [{"type": "image", "name": "glance", "id": "g", "endpoints": endpoints}]
