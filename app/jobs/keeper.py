"""Keeps the job table in order: takes back lost jobs, starts scheduled ones, reminds, clears away.

Any number of keepers may work on one table at once; every step is a compare-and-set.
"""

from __future__ import annotations

import logging
from time import monotonic

from sqlalchemy.exc import OperationalError

from app.db import Database
from app.jobs.dispatch import Dispatcher, make_dispatcher
from app.jobs.handlers import Chore, Registry
from app.jobs.lanes import forget_silent
from app.jobs.lease import Leases, LeaseWatch
from app.jobs.queue import PURGE_ROWS, JobQueue
from app.jobs.schedule import run_due
from app.jobs.stop import StopFlag
from app.settings import ServiceSettings

log = logging.getLogger(__name__)

TICK_SECONDS = 0.5
TIDY_SECONDS = 60.0


class Keeper:
    """One keeper; the state it has is what it saw of the leases so far."""

    def __init__(self, queue: JobQueue, dispatcher: Dispatcher, chores: tuple[Chore, ...] = ()) -> None:
        settings = queue.settings
        self._queue = queue
        self._leases = Leases(queue)
        self._dispatcher = dispatcher
        self._chores = chores
        self._watch = LeaseWatch(settings.lease_seconds, confirm_seconds=1.5 * settings.heartbeat_seconds)
        self._tidied_at = -TIDY_SECONDS

    def run(self, stop: StopFlag) -> None:
        """Keep order until the process is to stop, also through times without a database."""
        while not stop.is_set():
            try:
                self.tick(monotonic())
            except OperationalError as error:
                log.warning("keeper: the database does not answer: %s", error.orig)
            stop.wait(TICK_SECONDS)

    def tick(self, steady_seconds: float) -> None:
        """One round. ``steady_seconds`` is the time of a monotonic clock."""
        for lease in self._watch.lost(self._leases.running(), steady_seconds):
            state = self._leases.take_back(lease)
            if state is not None:
                log.warning("job %s attempt %d was lost and is now %s", lease.job_id, lease.attempt, state)
        for added in run_due(self._queue, self._queue.settings.schedules):
            self._dispatcher.wake(added.job_id, added.lane)
        if self._dispatcher.needs_reminders:
            for job_id, lane in self._queue.wake_due():
                self._dispatcher.wake(job_id, lane)
        if steady_seconds - self._tidied_at >= TIDY_SECONDS:
            self._tidy()
            self._tidied_at = steady_seconds

    def _tidy(self) -> None:
        with self._queue.database.write() as session:
            forget_silent(session)
        while self._queue.purge() == PURGE_ROWS:
            continue
        for chore in self._chores:
            while self._does_more(chore):
                continue

    def _does_more(self, chore: Chore) -> bool:
        with self._queue.database.write() as session:
            return chore(session)


def keep(settings: ServiceSettings, registry: Registry, database: Database, stop: StopFlag) -> None:
    """Run a keeper until the process is to stop."""
    queue = JobQueue(database, settings.jobs, registry.settled)
    Keeper(queue, make_dispatcher(settings, database), registry.chores).run(stop)
