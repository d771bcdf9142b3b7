"""Tells workers that there is work. The job table is the truth; a wake-up may get lost."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import ClassVar, Protocol

from app.db import Database
from app.jobs.models import NewJob
from app.jobs.queue import Enqueued, JobQueue
from app.jobs.wake import WakeCaller
from app.settings import DispatcherKind, ServiceSettings


class Dispatcher(Protocol):
    """The seam between who adds work and who does it.

    Attributes:
        needs_reminders: whether workers look into the table only when they are told to.

    """

    needs_reminders: ClassVar[bool]

    def wake(self, job_id: uuid.UUID, lane: str) -> None:
        """Tell a worker of the lane; call it after the job is committed. Neither waits nor raises."""


class EmbeddedDispatcher:
    """Wakes the workers of this machine; all workers look into the table by themselves as well."""

    needs_reminders: ClassVar[bool] = False

    def __init__(self, state_dir: Path) -> None:
        self._caller = WakeCaller(state_dir)

    def wake(self, job_id: uuid.UUID, lane: str) -> None:  # noqa: ARG002  # whoever wakes takes the best job
        """Wake one worker of each supervisor here."""
        self._caller.call()


def make_dispatcher(settings: ServiceSettings, database: Database) -> Dispatcher:
    """The dispatcher that the settings ask for."""
    if settings.jobs.dispatcher is DispatcherKind.EMBEDDED:
        return EmbeddedDispatcher(settings.service.state_dir)
    # Celery is big; who does not use it does not load it.
    from app.jobs.celery_dispatch import CeleryDispatcher, make_celery

    return CeleryDispatcher(make_celery(settings.jobs), database, settings.jobs.rewake_seconds)


def submit(queue: JobQueue, dispatcher: Dispatcher, job: NewJob) -> Enqueued:
    """Add a job in a transaction of its own and wake a worker for it.

    Raises:
        UsageError: see ``JobQueue.add``.

    """
    added = queue.add(job)
    if added.created and job.due is None:
        dispatcher.wake(added.job_id, added.lane)
    return added
