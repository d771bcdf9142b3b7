"""What does the work: handlers by kind, and what a handler may ask of the job it works for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy.orm import Session

from app.db import Database
from app.errors import CancelledError, ConfigurationError, LeaseLostError
from app.jobs.lease import Leases, guard
from app.jobs.models import ClaimedJob
from app.jobs.queue import Settled


@dataclass(slots=True)
class Standing:
    """What the heartbeat thread has learned about the present job. Written there, read by the handler."""

    renewed_at: float = field(default_factory=monotonic)
    called_off: bool = False
    stopping: bool = False
    lost: bool = False


@dataclass(frozen=True, slots=True)
class JobContext:
    """A handler's view of its job.

    A handler calls ``check`` between chunks of work, writes to the database only inside
    ``transaction``, and must be able to start again from what it wrote: its process may die, or
    be overtaken, at any moment.
    """

    job: ClaimedJob
    database: Database
    leases: Leases
    standing: Standing = field(default_factory=Standing)

    def check(self) -> None:
        """Ask whether to go on. Cheap: looks at memory only.

        Raises:
            CancelledError: the job was called off, or its worker is being stopped.
            LeaseLostError: somebody else may have taken the job; change nothing any more.

        """
        silent_seconds = monotonic() - self.standing.renewed_at
        if self.standing.lost or silent_seconds > self.leases.queue.settings.lease_seconds:
            raise LeaseLostError(f"job {self.job.id} is no longer held by attempt {self.job.attempt}")
        if self.standing.called_off:
            raise CancelledError("the job was called off")
        if self.standing.stopping:
            raise CancelledError("the worker is being stopped", remedy="another one takes the job up")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction that is committed only while this attempt still holds the job; keep it short.

        Raises:
            LeaseLostError: it does not; nothing was written.

        """
        with self.database.write() as session:
            guard(session, self.job)
            yield session

    def heartbeat(self) -> None:
        """Renew the lease now; needed only before a step that blocks all threads for long.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        self.standing.called_off = self.leases.renew(self.job)
        self.standing.renewed_at = monotonic()


Handler = Callable[[JobContext, Mapping[str, Any]], None]
"""Does one job; returns when it is done, raises a SynclineError when it is not."""

Chore = Callable[[Session], bool]
"""Clears away one batch inside the given transaction; says whether there may be more."""


class Registry:
    """Which handler does which kind of work. Filled by the code that wires the service together."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}
        self._settled: dict[str, Settled] = {}
        self._chores: list[Chore] = []

    def register(self, kind: str, handler: Handler, *, settled: Settled | None = None) -> None:
        """Give a kind its handler.

        Args:
            kind: the kind, as jobs name it.
            handler: what does the work.
            settled: told in the same transaction how each job of the kind ended, also where no
                handler ran to the end (called off while waiting, worker vanished for good).

        Raises:
            ConfigurationError: the kind has a handler already.

        """
        if kind in self._handlers:
            raise ConfigurationError(f"two handlers for jobs of kind {kind}")
        self._handlers[kind] = handler
        if settled is not None:
            self._settled[kind] = settled

    def tidy_with(self, chore: Chore) -> None:
        """Let the keeper call this now and then, until it has nothing more to clear away."""
        self._chores.append(chore)

    @property
    def chores(self) -> tuple[Chore, ...]:
        """What the keeper clears away beside old jobs."""
        return tuple(self._chores)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Everything that can be done here."""
        return tuple(sorted(self._handlers))

    @property
    def settled(self) -> Mapping[str, Settled]:
        """Who wants to know about ends, by kind; for ``JobQueue``."""
        return self._settled

    def handler(self, kind: str) -> Handler:
        """The handler of a kind (KeyError for one that is not in ``kinds``)."""
        return self._handlers[kind]
