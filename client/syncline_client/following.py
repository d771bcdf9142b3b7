"""Following a task to its end: a stream of events while there is one, polling while there is none."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncline_client.errors import (
    NotFoundError,
    RequestError,
    ServerError,
    SyncClientError,
    TimedOutError,
    UnavailableError,
    UnreachableError,
)
from syncline_client.events import ENDED, Event, EventParser
from syncline_client.results import read_task
from syncline_client.transport import NOT_MODIFIED, NoStreamError, Transport

log = logging.getLogger(__name__)

POLLED = "task"
"""Kind of an event that stands for a look at the task."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How one task is followed.

    Attributes:
        reconnect_seconds: pause before a stream is opened again; doubled with each failure in a row.
        longest_pause_seconds: what the doubling ends at.
        poll_seconds: between two looks at the task.
        stream_retry_seconds: how long polling lasts before a stream is asked for again, unless the
            service names a time.
        max_failures: so many failures in a row end it.

    """

    reconnect_seconds: float = 0.5
    longest_pause_seconds: float = 30.0
    poll_seconds: float = 2.0
    stream_retry_seconds: float = 30.0
    max_failures: int = 8
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Follower:
    """Follows one task.

    Args:
        path: of the task; its events are at ``path/events``.
        deadline: on the clock of ``patience``; infinity for none.

    """

    transport: Transport
    path: str
    patience: Patience
    deadline: float = float("inf")
    _last_id: str = ""
    _etag: str | None = None
    _failures: int = 0
    _ended: bool = False
    _sign_of_life: bool = False
    _retry_seconds: float = 0.0

    def events(self) -> Iterator[Event]:
        """What happens in the task, from its beginning to its event ``ended``, nothing twice.

        Raises:
            TimedOutError: the deadline is over.
            SyncClientError: there is no such task, the caller may not see it, or the service does not
                come back.

        """
        while not self._ended:
            try:
                yield from self._streamed()
                if not self._ended:
                    yield from self._end_of(self._look() or {})
                    self._come_back()
            except (NoStreamError, UnavailableError, NotFoundError, RequestError) as error:
                yield from self._polled(error)
            except (UnreachableError, ServerError) as error:
                self._fail(error)
            except TimedOutError as error:
                self._check_time()
                self._fail(error)

    def _streamed(self) -> Iterator[Event]:
        """One stream until it is closed; the service closes each after some minutes."""
        self._check_time()
        self._sign_of_life = False
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        parser = EventParser()
        with self.transport.stream(f"{self.path}/events", headers, self._silence_seconds()) as pieces:
            for piece in pieces:
                self._check_time()
                self._sign_of_life, self._failures = True, 0
                events = parser.feed(piece)
                self._retry_seconds = parser.retry_seconds
                for event in events:
                    self._last_id = event.id or self._last_id
                    self._ended = event.is_last
                    yield event
                    if self._ended:
                        return

    def _come_back(self) -> None:
        """Pause after a stream was closed, as long as the service asked for."""
        if self._ended:
            return
        if self._sign_of_life:
            self._pause(max(self.patience.reconnect_seconds, self._retry_seconds))
        else:
            self._fail(UnreachableError("the stream of events is closed as soon as it is opened"))

    def _polled(self, reason: SyncClientError) -> Iterator[Event]:
        """Looks at the task now and then until it is time to ask for a stream again."""
        log.info("no stream of events (%s): polling", reason)
        wait_seconds = getattr(reason, "retry_after_seconds", None) or self.patience.stream_retry_seconds
        until = self.patience.clock() + wait_seconds
        while not self._ended and self.patience.clock() < until:
            try:
                body = self._look()
            except (UnavailableError, UnreachableError, ServerError, TimedOutError) as error:
                self._check_time()
                self._fail(error)
                continue
            self._failures = 0
            if body is not None:
                yield Event(POLLED, body)
                yield from self._end_of(body)
            if not self._ended:
                self._pause(self.patience.poll_seconds)

    def _look(self) -> Mapping[str, Any] | None:
        """The task as it is, if it has changed since the last look."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        answer = self.transport.ask("GET", self.path, headers=headers)
        if answer.status == NOT_MODIFIED:
            return None
        self._etag = answer.etag
        self._ended = read_task(answer.body).has_ended
        return dict(answer.body)

    def _end_of(self, body: Mapping[str, Any]) -> Iterator[Event]:
        """The last event, for a task that was found ended rather than told so."""
        if self._ended:
            told = {
                "status": body["status"],
                "reason": body.get("reason"),
                "counts": body.get("counts") or {},
            }
            yield Event(ENDED, told)

    def _fail(self, error: SyncClientError) -> None:
        """Pause after a failure; the last of too many in a row is raised."""
        self._failures += 1
        if self._failures >= self.patience.max_failures:
            raise error
        log.info("following goes on after: %s", error)
        self._pause(self.patience.reconnect_seconds * 2 ** (self._failures - 1))

    def _pause(self, seconds: float) -> None:
        left_seconds = self.deadline - self.patience.clock()
        self.patience.sleep(max(0.0, min(seconds, self.patience.longest_pause_seconds, left_seconds)))
        self._check_time()

    def _silence_seconds(self) -> float:
        left_seconds = self.deadline - self.patience.clock()
        return max(0.001, min(self.transport.limits.silence_seconds, left_seconds))

    def _check_time(self) -> None:
        if self.patience.clock() >= self.deadline:
            raise TimedOutError("the task did not end in time")
