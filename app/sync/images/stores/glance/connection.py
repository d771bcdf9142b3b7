"""Connections that notice, while they send, that the server stalls or has already answered."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

WATCHED_BYTES = 32 * 1024
"""Pieces from this size on are sent under watch; requests without image data stay below."""


def send_watching(sock: socket.socket, data: bytes, stall_seconds: float) -> None:
    """Send everything, or raise.

    ``BrokenPipeError`` as soon as the server says something or hangs up: an answer that comes before
    the data is complete is a refusal, and the caller reads it. ``TimeoutError`` when the server took
    no byte for ``stall_seconds``.
    """
    poller = select.poll()
    poller.register(sock, select.POLLIN | select.POLLOUT)
    view = memoryview(data)
    while view:
        events = poller.poll(stall_seconds * 1000)
        if not events:
            raise TimeoutError(errno.ETIMEDOUT, f"the server took no data for {stall_seconds:g} s")
        if events[0][1] & ~select.POLLOUT:
            raise BrokenPipeError(errno.EPIPE, "the server answered before it had all data")
        view = view[sock.send(view) :]


def _send_patiently(sock: socket.socket, data: bytes, stall_seconds: float) -> None:
    if not isinstance(sock, ssl.SSLSocket):
        send_watching(sock, data, stall_seconds)
        return
    # Under TLS readable does not mean answered (session tickets arrive at any time).
    sock.settimeout(stall_seconds)
    sock.sendall(data)


def pools(stall_seconds: float) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools by URL scheme whose connections send with this patience."""

    class Plain(HTTPConnection):
        def send(self, data: Any) -> None:  # noqa: ANN401 - as the base class declares it
            if self.sock is not None and isinstance(data, bytes) and len(data) >= WATCHED_BYTES:
                _send_patiently(self.sock, data, stall_seconds)
            else:
                super().send(data)

    class Secure(HTTPSConnection):
        def send(self, data: Any) -> None:  # noqa: ANN401 - as the base class declares it
            if self.sock is not None and isinstance(data, bytes) and len(data) >= WATCHED_BYTES:
                _send_patiently(self.sock, data, stall_seconds)
            else:
                super().send(data)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
