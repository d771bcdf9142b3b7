"""Writes down what a run tells: progress, items and events of its task, in few small transactions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from threading import Event as StopEvent
from threading import Lock, Thread
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.errors import LeaseLostError
from app.sync import region_state, tasks
from app.sync.events import (
    Event,
    ItemFinished,
    ItemProgressed,
    ItemStarted,
    Noticed,
    RegionFinished,
    RegionStarted,
)
from app.sync.status import Outcome, Result

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.5
"""How often a run writes at most; what happens in between is written together."""

Transaction = Callable[[], AbstractContextManager[Session]]


@dataclass(slots=True)
class Recorder:
    """Listens to one run over one region and keeps its task up to date.

    Listening only takes note; a thread writes, so that a slow database slows down no transfer and one
    that is away for a while costs nothing but freshness.

    Args:
        transaction: opens a transaction that only the task's present worker can commit.
        stop: set when the task turns out to belong to another worker.
        writes_state: whether the region's own state follows (not in a dry run).

    """

    task_id: str
    region: str
    transaction: Transaction
    stop: StopEvent
    writes_state: bool
    _lock: Lock = field(default_factory=Lock)
    _ended: StopEvent = field(default_factory=StopEvent)
    _dirty: bool = False
    _events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    _outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    _moving: dict[str, int] = field(default_factory=dict)
    _bytes_done: int = 0
    _items_done: int = 0
    _totals: dict[str, int] = field(default_factory=dict)
    _position: int = 0

    def listen(self, event: Event) -> None:
        """Take note. Called from the thread that works on the region."""
        with self._lock:
            self._dirty = True
            self._note(event)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write in the background meanwhile, and what is left at the end.

        Raises:
            LeaseLostError: at the end, if the task belongs to another worker by now.

        """
        writer = Thread(target=self._write_now_and_then, name="recorder", daemon=True)
        writer.start()
        try:
            yield
        finally:
            self._ended.set()
            writer.join()
        self.flush()

    def _write_now_and_then(self) -> None:
        while not self._ended.wait(WRITE_SECONDS):
            try:
                self.flush()
            except OperationalError as error:
                log.warning("task %s: progress cannot be written: %s", self.task_id, error.orig)
            except LeaseLostError:
                self.stop.set()
                return

    def flush(self) -> None:
        """Write what has not been written yet; what cannot be written is kept for the next time.

        Raises:
            LeaseLostError: the task belongs to another worker by now.
            sqlalchemy.exc.OperationalError: the database does not answer.

        """
        with self._lock:
            if not self._dirty:
                return
            events, outcomes = self._progressed(), list(self._outcomes)
            told, settled = len(self._events), len(self._outcomes)
            done = self._bytes_done + sum(self._moving.values())
            values = {**self._totals, "items_done": self._items_done, "bytes_done": done}
            self._dirty = False
        try:
            with self.transaction() as session:
                tasks.progress(session, self.task_id, values)
                tasks.record_outcomes(session, self.task_id, outcomes)
                tasks.tell(session, self.task_id, events)
                if self.writes_state:
                    items = [outcome.item for _, outcome in outcomes]
                    region_state.update_items(session, self.region, items)
        except OperationalError:
            self._dirty = True
            raise
        with self._lock:
            del self._events[:told]
            del self._outcomes[:settled]

    def _progressed(self) -> list[tuple[str, dict[str, Any]]]:
        moved = [
            ("progress", {"name": name, "sent_bytes": sent_bytes})
            for name, sent_bytes in self._moving.items()
        ]
        return [*self._events, *moved]

    def _note(self, event: Event) -> None:
        match event:
            case RegionStarted():
                self._totals = {"items_total": event.items, "bytes_total": event.pending_bytes}
                self._events.append(("started", {"items": event.items, "bytes": event.pending_bytes}))
            case Noticed():
                self._events.append(
                    ("notice", {"level": str(event.notice.level), "message": event.notice.message})
                )
            case ItemStarted():
                self._moving[event.name] = 0
                body = {"name": event.name, "status": str(event.status), "size_bytes": event.size_bytes}
                self._events.append(("item_started", body))
            case ItemProgressed():
                self._moving[event.name] = event.sent_bytes
            case ItemFinished():
                self._note_outcome(event.outcome)
            case RegionFinished():
                return

    def _note_outcome(self, outcome: Outcome) -> None:
        self._moving.pop(outcome.item.name, None)
        self._items_done += 1
        if outcome.before.needs_content and outcome.result is Result.DONE:
            self._bytes_done += outcome.item.size_bytes or 0
        self._outcomes.append((self._position, outcome))
        self._position += 1
        body = {
            "name": outcome.item.name,
            "before": str(outcome.before),
            "status": str(outcome.item.status),
            "result": str(outcome.result),
            "sent_bytes": outcome.sent_bytes,
            "error": outcome.item.error,
        }
        self._events.append(("item_finished", body))
