"""The heartbeat of a worker process: keeps its lease, and says that it is alive."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import monotonic

from sqlalchemy.exc import OperationalError

from app.db import Database
from app.errors import LeaseLostError
from app.jobs.handlers import JobContext
from app.jobs.lanes import ANNOUNCE_SECONDS, announce, withdraw
from app.jobs.stop import StopFlag

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5


class Pulse:
    """A thread that beats while the process lives; time is measured by the steady clock only.

    Every half second it looks whether the present job was called off or taken away; every
    ``heartbeat_seconds`` it renews the lease; every few seconds it announces the worker's lanes.

    Args:
        stopping: set when this process is to end; the present job then has
            ``stop_grace_seconds`` left before its ``check`` raises.

    """

    def __init__(self, database: Database, worker: str, lanes: Collection[str], stopping: StopFlag) -> None:
        self._database = database
        self._worker = worker
        self._lanes = lanes
        self._stopping = stopping
        self._stopping_since: float | None = None
        self._ended = threading.Event()
        self._context: JobContext | None = None
        self._announced_at = -ANNOUNCE_SECONDS
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and take the worker's name off its lanes."""
        self._ended.set()
        self._thread.join()
        try:
            with self._database.write() as session:
                withdraw(session, self._worker)
        except OperationalError as error:
            log.warning("worker %s cannot sign off: %s", self._worker, error.orig)

    @contextmanager
    def holding(self, context: JobContext) -> Iterator[None]:
        """Keep the lease of this job meanwhile."""
        self._context = context
        try:
            yield
        finally:
            self._context = None

    def _beat(self) -> None:
        try:
            while not self._ended.is_set():
                try:
                    self._tick(monotonic())
                except OperationalError as error:
                    log.warning("worker %s: the database does not answer: %s", self._worker, error.orig)
                self._ended.wait(LOOK_SECONDS)
        finally:
            # Without a heartbeat the process would work on jobs that others take over.
            if not self._ended.is_set():
                os.kill(os.getpid(), signal.SIGTERM)

    def _tick(self, now: float) -> None:
        if self._stopping.is_set() and self._stopping_since is None:
            # A killed supervisor sends no signal; who waits for one (Celery) has to get it.
            self._stopping_since = now
            os.kill(os.getpid(), signal.SIGTERM)
        context = self._context
        if context is not None:
            self._mind_stop(context, now)
            self._mind_lease(context, now)
        if now - self._announced_at >= ANNOUNCE_SECONDS:
            with self._database.write() as session:
                announce(session, self._worker, self._lanes)
            self._announced_at = now

    def _mind_stop(self, context: JobContext, now: float) -> None:
        if self._stopping_since is not None:
            grace_seconds = context.leases.queue.settings.stop_grace_seconds
            context.standing.stopping = now - self._stopping_since >= grace_seconds

    def _mind_lease(self, context: JobContext, now: float) -> None:
        standing = context.standing
        try:
            if now - standing.renewed_at >= context.leases.queue.settings.heartbeat_seconds:
                standing.called_off = context.leases.renew(context.job)
                standing.renewed_at = now
            else:
                standing.called_off = context.leases.is_called_off(context.job)
        except LeaseLostError:
            # Unless the job has just ended by its own hand.
            standing.lost = self._context is context
