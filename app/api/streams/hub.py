"""All event streams of one process, and the one thread that serves them."""

from __future__ import annotations

import logging
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock, Thread
from time import monotonic

from app.api.streams import wire
from app.api.streams.feed import Feed
from app.api.streams.loop import Stream, StreamLoop, StreamTimes

log = logging.getLogger(__name__)

MAX_STREAMS = 1000


def most_streams() -> int:
    """How many streams one process may serve: half of the files it may open, at most ``MAX_STREAMS``."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_STREAMS if soft == resource.RLIM_INFINITY else min(MAX_STREAMS, soft // 2)


@dataclass(slots=True, eq=False)
class StreamHub:
    """Where connections are handed to. The thread starts with the first of them, after any fork."""

    feed: Feed
    times: StreamTimes = field(default_factory=StreamTimes)
    max_streams: int = field(default_factory=most_streams)
    clock: Callable[[], float] = monotonic
    _lock: Lock = field(default_factory=Lock)
    _arrived: list[Stream] = field(default_factory=list)
    _loop: StreamLoop | None = None
    _bell: socket.socket | None = None

    def __len__(self) -> int:
        served = len(self._loop.streams) if self._loop else 0
        return served + len(self._arrived)

    @property
    def has_room(self) -> bool:
        """Whether another stream may be added."""
        return len(self) < self.max_streams

    def adopt(self, connection: socket.socket, task_id: str, seen: int, head: bytes = b"") -> None:
        """Serve a connection from now on, and close it in the end.

        Args:
            connection: a socket that nobody else uses.
            task_id: the task to follow.
            seen: id of the last event that the client knows; 0 for none.
            head: sent before anything else.

        """
        connection.setblocking(False)
        now = self.clock()
        with self._lock:
            self._arrived.append(Stream(connection, task_id, seen, now, now, bytearray(head + wire.OPENING)))
            bell = self._bell or self._start()
            try:
                bell.send(b"\0")
            except BlockingIOError as error:
                log.debug("the stream thread has been called often enough: %s", error)

    def _start(self) -> socket.socket:
        wakeups, self._bell = socket.socketpair()
        self._bell.setblocking(False)
        self._loop = StreamLoop(self.feed, self.times, self.clock, wakeups, self._take_arrived)
        Thread(target=self._run, args=(self._loop,), name="event-streams", daemon=True).start()
        return self._bell

    def _take_arrived(self) -> list[Stream]:
        with self._lock:
            arrived, self._arrived = self._arrived, []
        return arrived

    def _run(self, loop: StreamLoop) -> None:
        """Serve; where that fails in a way nobody foresaw, let the next stream start anew."""
        try:
            loop.run()
        finally:
            with self._lock:
                loop.close()
                loop.wakeups.close()
                if self._bell is not None:
                    self._bell.close()
                for stream in self._arrived:
                    stream.connection.close()
                self._arrived, self._bell, self._loop = [], None, None
