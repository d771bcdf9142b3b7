"""Tasks and the jobs that do them: started together, called off together, ended together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.db import Database
from app.errors import BusyError
from app.jobs.dispatch import Dispatcher
from app.jobs.models import JobState, NewJob, SettledJob, region_lane
from app.jobs.queue import JobQueue, Settled
from app.sync import tasks
from app.sync.models import Task
from app.sync.tasks import NewTask, TaskStatus

KIND = "region.task"
FOREGROUND_KIND = "region.foreground"
"""A task that a command line does itself (``app.jobs.foreground``)."""

TASK_ATTEMPTS = 5
CALLED_OFF = "cancelled"


@dataclass(frozen=True, slots=True)
class RegionTasks:
    """What an interface may do with tasks; each call is a transaction of its own."""

    database: Database
    queue: JobQueue
    dispatcher: Dispatcher

    def start(self, new: NewTask) -> tuple[Task, bool]:
        """The region's running task, or a new one that a worker of the region is told of.

        Raises:
            IdempotencyError, BusyError: see ``app.sync.tasks.start``.

        """
        with self.database.write() as session:
            task, created = tasks.start(session, new)
            if created:
                job = NewJob(
                    KIND, {"task_id": task.id}, lane=region_lane(new.region), max_attempts=TASK_ATTEMPTS
                )
                added = self.queue.enqueue(session, job)
                task.job_id = added.job_id
        if created:
            self.dispatcher.wake(added.job_id, added.lane)
        return task, created

    def cancel(self, task_id: str) -> Task:
        """Call a task off: at once if nobody works on it, else at its next chunk.

        Raises:
            NotFoundError: there is no such task.
            BusyError: it has ended already.

        """
        with self.database.write() as session:
            task = tasks.find(session, task_id)
            if task.status != TaskStatus.SYNCING:
                raise BusyError(f"task {task_id} has ended: {task.status}")
            if task.job_id is not None:
                self.queue.request_cancel(session, task.job_id)
            session.refresh(task)
        return task


def settle(session: Session, job: SettledJob) -> None:
    """End the task of a job that ended without its handler having done so."""
    reasons = {
        JobState.CANCELLED: CALLED_OFF,
        JobState.FAILED: job.error or "failed",
        JobState.DONE: "the worker ended without a result",
    }
    tasks.end(session, str(job.payload["task_id"]), TaskStatus.FAILED, reasons[job.state], None)


SETTLED: Mapping[str, Settled] = {KIND: settle, FOREGROUND_KIND: settle}
"""For every queue through which such jobs may end: workers', web processes' and the command line's."""
