"""A bare HTTP peer that neither hashes nor stores: gives zeros for GET, throws away what PUT brings.

``python -m bench.relay_peer SIZE_BYTES`` prints its port and serves until its standard input closes.
"""

from __future__ import annotations

import os
import socket
import sys
from threading import Thread

CHUNK_BYTES = 1024 * 1024


def _headers(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head of the next request and what of its body came along."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b"", b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _serve(connection: socket.socket, size_bytes: int) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    buffer = bytearray(CHUNK_BYTES)
    zeros = bytes(CHUNK_BYTES)
    with connection:
        while True:
            head, rest = _headers(connection)
            if not head:
                return
            if head.startswith(b"GET"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size_bytes)
                left = size_bytes
                while left:
                    left -= connection.send(zeros[: min(left, CHUNK_BYTES)])
                continue
            left = _length(head) - len(rest)
            while left > 0:
                left -= connection.recv_into(buffer, min(left, CHUNK_BYTES)) or left
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def main() -> None:
    """Serve on a free loopback port, one thread a connection."""
    size_bytes = int(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = listener.accept()
        Thread(target=_serve, args=(connection, size_bytes), daemon=True).start()


if __name__ == "__main__":
    main()
