"""The thread that serves streams: looks for news of all followed tasks at once, writes, waits.

A connection that takes its bytes slowly gets no further news until it has taken what waits for
it, so the memory of a stream is bounded by one page of events.
"""

from __future__ import annotations

import logging
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from app.api.streams import wire
from app.api.streams.feed import Feed

log = logging.getLogger(__name__)

PAGE_EVENTS = 500
BACKLOG_BYTES = 64 * 1024
ENDED = "ended"
_READ_BYTES = 4096


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """The rhythm of streams.

    Attributes:
        poll_seconds: how often the database is asked while anybody listens.
        heartbeat_seconds: how often a silent stream shows that it lives; tasks that were deleted
            are noticed as often.
        life_seconds: after so long a stream is closed; its client comes back where it was.
        away_seconds: how long a database that does not answer is left alone.

    """

    poll_seconds: float = 0.25
    heartbeat_seconds: float = 15.0
    life_seconds: float = 300.0
    away_seconds: float = 1.0


@dataclass(slots=True, eq=False)
class Stream:
    """One connection.

    Attributes:
        seen: id of the last event that was put into ``waiting``.
        waiting: bytes that the connection has not taken yet.
        ending: close it as soon as it has taken them.

    """

    connection: socket.socket
    task_id: str
    seen: int
    born: float
    spoke: float
    waiting: bytearray
    ending: bool = False


@dataclass(slots=True, eq=False)
class StreamLoop:
    """Serves streams until its process ends. Everything but the constructor runs in its thread.

    Args:
        wakeups: readable when somebody has arrived.
        arrivals: takes those who have arrived off the list.

    """

    feed: Feed
    times: StreamTimes
    clock: Callable[[], float]
    wakeups: socket.socket
    arrivals: Callable[[], list[Stream]]
    streams: set[Stream] = field(default_factory=set)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _poll_at: float = 0.0
    _heartbeat_at: float = 0.0

    def run(self) -> None:
        """Serve for ever."""
        self._selector.register(self.wakeups, selectors.EVENT_READ, None)
        while True:
            timeout = max(0.0, self._poll_at - self.clock()) if self.streams else None
            for key, mask in self._selector.select(timeout):
                if key.data is None:
                    self.wakeups.recv(_READ_BYTES)
                else:
                    self._attend(key.data, mask)
            self._welcome()
            if self.streams and self.clock() >= self._poll_at:
                self._look()

    def close(self) -> None:
        """Give up all streams; their clients come back."""
        for stream in list(self.streams):
            self._drop(stream)
        self._selector.close()

    def _welcome(self) -> None:
        """Begin to serve those who have arrived; what they have missed is looked for at once."""
        for stream in self.arrivals():
            self.streams.add(stream)
            self._selector.register(stream.connection, selectors.EVENT_READ, stream)
            self._poll_at = 0.0
            self._flush(stream)

    def _attend(self, stream: Stream, mask: int) -> None:
        if mask & selectors.EVENT_READ and not self._still_connected(stream):
            self._drop(stream)
        elif mask & selectors.EVENT_WRITE:
            self._flush(stream)

    def _still_connected(self, stream: Stream) -> bool:
        """Whether the client is there; what it says is of no interest."""
        try:
            return bool(stream.connection.recv(_READ_BYTES))
        except BlockingIOError as error:
            log.debug("nothing to read after all: %s", error)
            return True
        except OSError as error:
            log.debug("a stream's client has gone: %s", error)
            return False

    def _look(self) -> None:
        """Pass news on, keep the silent alive, close what is over."""
        now = self.clock()
        self._poll_at = now + self.times.poll_seconds
        try:
            if self._pass_on() >= PAGE_EVENTS:
                self._poll_at = now
            if now >= self._heartbeat_at:
                self._heartbeat_at = now + self.times.heartbeat_seconds
                self._close_orphans()
        except SQLAlchemyError as error:
            self._poll_at = now + self.times.away_seconds
            log.warning("event streams wait for the database: %s", type(error).__name__)
        for stream in list(self.streams):
            self._tend(stream, now)

    def _pass_on(self) -> int:
        """Give news to those who have not seen them; returns how many there were."""
        followers: dict[str, list[Stream]] = {}
        for stream in self.streams:
            if not stream.ending and len(stream.waiting) < BACKLOG_BYTES:
                followers.setdefault(stream.task_id, []).append(stream)
        if not followers:
            return 0
        seen = {task_id: min(stream.seen for stream in streams) for task_id, streams in followers.items()}
        news = self.feed.news(seen, PAGE_EVENTS)
        for event_id, task_id, kind, data in news:
            text = wire.event(event_id, kind, data)
            for stream in followers[task_id]:
                if stream.seen < event_id:
                    stream.seen = event_id
                    stream.waiting += text
                    stream.ending = kind == ENDED
        return len(news)

    def _close_orphans(self) -> None:
        """End the streams of tasks that have been deleted: nothing will ever come."""
        followed = {stream.task_id for stream in self.streams}
        gone = followed - self.feed.still_there(followed)
        for stream in self.streams:
            stream.ending = stream.ending or stream.task_id in gone

    def _tend(self, stream: Stream, now: float) -> None:
        age_seconds = now - stream.born
        if age_seconds >= 2 * self.times.life_seconds:
            self._drop(stream)
            return
        stream.ending = stream.ending or age_seconds >= self.times.life_seconds
        if not stream.waiting and now - stream.spoke >= self.times.heartbeat_seconds:
            stream.waiting += wire.HEARTBEAT
        if stream.waiting or stream.ending:
            self._flush(stream)

    def _flush(self, stream: Stream) -> None:
        """Write what the connection takes; then wait until it takes more, or close it."""
        try:
            if stream.waiting:
                del stream.waiting[: stream.connection.send(stream.waiting)]
                stream.spoke = self.clock()
        except BlockingIOError as error:
            log.debug("%d bytes of a stream wait: %s", len(stream.waiting), error)
        except OSError as error:
            log.debug("a stream's client has gone: %s", error)
            self._drop(stream)
            return
        if stream.ending and not stream.waiting:
            self._drop(stream)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.waiting else 0)
        if self._selector.get_key(stream.connection).events != wanted:
            self._selector.modify(stream.connection, wanted, stream)

    def _drop(self, stream: Stream) -> None:
        self.streams.discard(stream)
        self._selector.unregister(stream.connection)
        stream.connection.close()
