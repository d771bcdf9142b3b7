"""A real HTTP server whose answers a test writes down beforehand, in the order of the requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Reply:
    """One answer: pieces are sent one by one, and then the connection is closed.

    Attributes:
        broken: reset the connection in place of an orderly end.
        silent: keep the connection open without a word until the server stops.

    """

    status: int = 200
    pieces: tuple[bytes, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False
    silent: bool = False


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Any


def reply(body: object, status: int = 200, **headers: str) -> Reply:
    """An answer with a JSON body; ``retry_after`` becomes ``Retry-After``."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Reply(status, (json.dumps(body).encode(),), {"Content-Type": "application/json", **named})


def stream(*pieces: bytes, broken: bool = False, silent: bool = False) -> Reply:
    """An answer with events."""
    return Reply(200, pieces, {"Content-Type": "text/event-stream"}, broken, silent)


def event(number: int, kind: str, **data: object) -> bytes:
    """One event as the service writes it."""
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()


class Scripted(ThreadingHTTPServer):
    """Gives the replies in turn; what is asked beyond them is answered with 599."""

    daemon_threads = True

    def __init__(self, replies: tuple[Reply, ...]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.left = list(replies)
        self.asked: list[Asked] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        """Answer with the next reply."""
        self._answer()

    do_POST = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(
            self.command,
            parts.path,
            parse_qs(parts.query),
            dict(self.headers),
            json.loads(body) if body else None,
        )
        self.server.asked.append(asked)
        told = self.server.left.pop(0) if self.server.left else Reply(599)
        self.close_connection = True
        self.send_response(told.status)
        for name, value in {**told.headers, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in told.pieces:
            self.wfile.write(piece)
            self.wfile.flush()
        if told.silent:
            self.server.stopping.wait(30)
        if told.broken:
            # linger of zero: the client sees a reset, not an end
            self.connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
            self.connection.close()


@contextmanager
def serving(*replies: Reply) -> Iterator[Scripted]:
    """The server, running."""
    server = Scripted(replies)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
