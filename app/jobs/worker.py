"""Worker processes of the embedded dispatcher, and what ``run.py worker`` and ``run.py beat`` run."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from sqlalchemy.exc import OperationalError

from app.db import Database
from app.errors import ConfigurationError
from app.jobs.execute import JobRunner
from app.jobs.handlers import JobContext, Registry
from app.jobs.keeper import keep
from app.jobs.lease import Leases
from app.jobs.models import ClaimedJob
from app.jobs.pulse import Pulse
from app.jobs.queue import JobQueue
from app.jobs.stop import StopFlag
from app.jobs.supervisor import Program, Supervisor
from app.jobs.wake import WakeListener
from app.schema import require_head
from app.settings import DispatcherKind, ServiceSettings

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
"""How long after its last job a worker still looks at the quicker pace."""

AWAY_SECONDS = 0.5

Wiring = Callable[[ServiceSettings, Database], Registry]
"""Builds the handlers; called in each process after the fork, so that it may open clients."""


def worker_name() -> str:
    """A name no other worker process has, now or later."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class Workplace:
    """What one worker process needs to take jobs and do them."""

    name: str
    lanes: tuple[str, ...]
    database: Database
    queue: JobQueue
    registry: Registry
    pulse: Pulse
    stop: StopFlag

    @classmethod
    def open(cls, settings: ServiceSettings, wiring: Wiring, stop: StopFlag) -> Workplace:
        """Open the database and the clients of the handlers, and begin to give signs of life."""
        name, lanes = worker_name(), settings.jobs.lanes
        database = Database(settings.database_url)
        registry = wiring(settings, database)
        pulse = Pulse(database, name, lanes, stop)
        pulse.start()
        queue = JobQueue(database, settings.jobs, registry.settled)
        return cls(name, lanes, database, queue, registry, pulse, stop)

    def close(self) -> None:
        """Sign off."""
        self.pulse.stop()
        self.database.dispose()

    def claim(self) -> ClaimedJob | None:
        """The next job for this worker, or None. Raises OperationalError when the database is away."""
        return self.queue.claim(self.lanes, self.name, self.registry.kinds)

    def run(self, job: ClaimedJob) -> None:
        """Do a job. Raises only what its handler was not meant to raise."""
        context = JobContext(job, self.database, Leases(self.queue))
        JobRunner(self.registry, self.pulse).run(context)

    def work(self, listener: WakeListener) -> None:
        """Take one job after the other until the process is to stop."""
        settings = self.queue.settings
        worked_at = -BUSY_SECONDS
        while not self.stop.is_set():
            try:
                job = self.claim()
            except OperationalError as error:
                log.warning("worker %s: the database does not answer: %s", self.name, error.orig)
                self.stop.wait(AWAY_SECONDS)
                continue
            if job is not None:
                self.run(job)
                worked_at = monotonic()
                continue
            busy = monotonic() - worked_at < BUSY_SECONDS
            listener.wait(settings.busy_poll_seconds if busy else settings.idle_poll_seconds, self.stop)


def _worker_program(settings: ServiceSettings, wiring: Wiring, listener: WakeListener) -> Program:
    def run(stop: StopFlag) -> None:
        workplace = Workplace.open(settings, wiring, stop)
        try:
            workplace.work(listener)
        finally:
            workplace.close()

    return Program("worker", run)


def _keeper_program(settings: ServiceSettings, wiring: Wiring) -> Program:
    def run(stop: StopFlag) -> None:
        database = Database(settings.database_url)
        try:
            keep(settings, wiring(settings, database), database, stop)
        finally:
            database.dispose()

    return Program("keeper", run)


def _celery_program(settings: ServiceSettings, wiring: Wiring) -> Program:
    def run(stop: StopFlag) -> None:
        # Celery is big; who does not use it does not load it.
        from app.jobs.celery_worker import run_celery_worker

        run_celery_worker(settings, wiring, stop)

    return Program("worker", run)


def run_worker(
    settings: ServiceSettings,
    wiring: Wiring,
    *,
    lanes: tuple[str, ...] | None = None,
    reload: Callable[[], ServiceSettings] | None = None,
) -> None:
    """Serve jobs until SIGTERM: worker processes, and a keeper beside them.

    Args:
        settings: what to do and where.
        wiring: builds the handlers in each process.
        lanes: serve these instead of those of the settings.
        reload: reads the settings again on SIGHUP; where they are wrong, the old ones stay.

    Raises:
        DatabaseStateError: the migrations are not applied.

    """
    require_head(settings.database_url)
    listener = WakeListener(settings.service.state_dir)
    present = settings

    def programs() -> list[Program]:
        nonlocal present
        present = _reloaded(present, reload)
        jobs = present.jobs if lanes is None else replace(present.jobs, lanes=lanes)
        return _programs(replace(present, jobs=jobs), wiring, listener)

    try:
        Supervisor(programs, settings.jobs.stop_grace_seconds).run()
    finally:
        listener.close()


def _programs(settings: ServiceSettings, wiring: Wiring, listener: WakeListener) -> list[Program]:
    keeper = _keeper_program(settings, wiring)
    if settings.jobs.dispatcher is DispatcherKind.CELERY:
        worker = _celery_program(settings, wiring)
    else:
        worker = _worker_program(settings, wiring, listener)
    return [*[worker] * settings.jobs.workers, keeper]


def _reloaded(settings: ServiceSettings, reload: Callable[[], ServiceSettings] | None) -> ServiceSettings:
    if reload is None:
        return settings
    try:
        return reload()
    except ConfigurationError as error:
        log.error("reload: the settings stay as they were: %s", error)  # noqa: TRY400  # no trace of use
        return settings


def run_beat(settings: ServiceSettings, wiring: Wiring) -> None:
    """Only keep order, until SIGTERM; any number may run at once (Celery on many machines).

    Raises:
        DatabaseStateError: the migrations are not applied.

    """
    require_head(settings.database_url)
    stop = StopFlag()
    stop.on([signal.SIGTERM, signal.SIGINT])
    _keeper_program(settings, wiring).run(stop)
