"""The answer that a stream is: handed to the stream thread, or relayed by one of the server's threads."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from weakref import WeakSet

from flask import Response
from werkzeug.http import http_date

from app.api.streams import wire
from app.api.streams.handover import plain_connection, take_over
from app.api.streams.hub import StreamHub
from app.errors import OverloadedError

EVENT_STREAM = "text/event-stream"
THREAD_SHARE = 4
"""One thread in so many may wait with a stream where the connection cannot be taken over."""

_READ_BYTES = 64 * 1024


@dataclass(slots=True, eq=False)
class Relays:
    """The streams that hold one of the web server's threads each, and how many there may be."""

    most: int
    _running: WeakSet[Relay] = field(default_factory=WeakSet)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def for_threads(cls, threads: int) -> Relays:
        """A share of the threads, one at least."""
        return cls(max(1, threads // THREAD_SHARE))

    def add(self, relay: Relay) -> None:
        """Take a place.

        Raises:
            OverloadedError: all are taken.

        """
        with self._lock:
            if len(self._running) >= self.most:
                raise full()
            self._running.add(relay)

    def remove(self, relay: Relay) -> None:
        """Give a place back."""
        with self._lock:
            self._running.discard(relay)


@dataclass(eq=False)
class Relay:
    """A body that comes out of a pair of sockets, into which the stream thread writes (WSGI)."""

    relays: Relays
    near: socket.socket

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.near.recv(_READ_BYTES):
            yield chunk

    def close(self) -> None:
        """Called by the web server in the end, whatever happened."""
        self.near.close()
        self.relays.remove(self)


class StreamResponse(Response):
    """An answer that goes on for as long as the task does.

    Args:
        server: value of the header ``Server``.
        environ: the request's, which shows whether its connection can be taken over.
        seen: id of the last event that the client knows; 0 for none.

    Raises:
        OverloadedError: this process serves as many streams as it can.

    """

    default_mimetype = EVENT_STREAM

    def __init__(
        self, hub: StreamHub, relays: Relays, server: str, environ: dict[str, Any], task_id: str, seen: int
    ) -> None:
        super().__init__()
        self.headers["Cache-Control"] = "no-store"
        # nginx would otherwise keep events back until its buffer is full.
        self.headers["X-Accel-Buffering"] = "no"
        self.headers.pop("Content-Length", None)
        self._hub, self._task_id, self._seen, self._server = hub, task_id, seen, server
        if not hub.has_room:
            raise full()
        self._relay: Relay | None = None
        if plain_connection(environ) is None:
            self._relay, self._far = _relay(relays)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ANN401
        """Begin, now that all headers are known (WSGI)."""
        connection = plain_connection(environ)
        if self._relay is not None:
            self._hub.adopt(self._far, self._task_id, self._seen)
            start_response(self.status, list(self.headers))
            return self._relay
        if connection is not None:
            # The two that the web server would have added.
            self.headers.setdefault("Server", self._server)
            self.headers.setdefault("Date", http_date())
            head = wire.response_head(self.status, self.headers)
            self._hub.adopt(take_over(connection), self._task_id, self._seen, head)
        # The server writes this to nobody.
        start_response(self.status, list(self.headers))
        return []


def _relay(relays: Relays) -> tuple[Relay, socket.socket]:
    near, far = socket.socketpair()
    relay = Relay(relays, near)
    try:
        relays.add(relay)
    except OverloadedError:
        near.close()
        far.close()
        raise
    return relay, far


def full() -> OverloadedError:
    """The error for those who find no place."""
    return OverloadedError("no more event streams can be served here", remedy="poll the task meanwhile")
