"""Where streams get their events from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.db import Database
from app.sync import task_feed
from app.sync.task_feed import NewEvent


class Feed(Protocol):
    """News of tasks."""

    def news(self, seen: Mapping[str, int], limit: int) -> Sequence[NewEvent]:
        """The next events of these tasks, oldest first; ``seen`` holds the last known id of each."""

    def still_there(self, task_ids: Collection[str]) -> set[str]:
        """Which of these tasks exist."""


@dataclass(frozen=True, slots=True)
class DatabaseFeed:
    """News from the table of task events."""

    database: Database

    def news(self, seen: Mapping[str, int], limit: int) -> Sequence[NewEvent]:
        """The next events of these tasks, oldest first; ``seen`` holds the last known id of each."""
        with self.database.read() as session:
            return task_feed.events_since(session, seen, limit)

    def still_there(self, task_ids: Collection[str]) -> set[str]:
        """Which of these tasks exist."""
        with self.database.read() as session:
            return task_feed.still_there(session, task_ids)
