"""Clients of event streams."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: int
    kind: str
    data: dict[str, Any]


def parse(text: bytes) -> list[Event]:
    """The events of a stream; comments and the rest are passed over."""
    events = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            events.append(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


class Follower:
    """A client with a connection of its own, reading as it likes."""

    def __init__(self, port: int, path: str, last_event_id: int | None = None) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        seen = "" if last_event_id is None else f"Last-Event-ID: {last_event_id}\r\n"
        self.connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{seen}\r\n".encode())
        self.received = b""

    def read_until(self, wanted: bytes) -> bytes:
        """Everything so far, as soon as it holds these bytes."""
        while wanted not in self.received:
            chunk = self.connection.recv(65536)
            assert chunk, f"closed after {self.received!r}"
            self.received += chunk
        return self.received

    def read_all(self) -> bytes:
        """Everything until the server closes."""
        while chunk := self.connection.recv(65536):
            self.received += chunk
        return self.received

    @property
    def status(self) -> int:
        """The status of the answer."""
        return int(self.read_until(b"\r\n\r\n").split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of the answer, names in lower case."""
        head = self.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")[0].decode("latin-1")
        pairs = (line.split(": ", 1) for line in head.split("\r\n")[1:])
        return [(name.lower(), value) for name, value in pairs]

    def body(self) -> bytes:
        """What came after the head so far."""
        return self.received.partition(b"\r\n\r\n")[2]

    def close(self) -> None:
        """Go away."""
        self.connection.close()


def chunks_until(parts: Iterator[bytes], wanted: bytes) -> bytes:
    """What a body yields until it holds these bytes."""
    text = b""
    while wanted not in text:
        text += next(parts)
    return text
