"""Work that a command line does itself, under the same leases as the workers' (spec images 9.5 [P]).

A program takes a task and a job for each of its regions, in a lane of its own, and holds them by signs
of life like any worker. So a region has at most one active task whoever started it, others see how far it
is and can call it off, and when the program dies its tasks end with a reason.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Event as StopEvent
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

from sqlalchemy.exc import OperationalError

from app.db import Database
from app.errors import BusyError, CancelledError, DatabaseStateError, LeaseLostError, NotFoundError
from app.jobs.dispatch import make_dispatcher
from app.jobs.handlers import JobContext
from app.jobs.image_tasks import verdict
from app.jobs.lanes import ANNOUNCE_SECONDS, announce, withdraw
from app.jobs.lease import Leases
from app.jobs.models import ClaimedJob, NewJob
from app.jobs.queue import JobQueue
from app.jobs.recorder import Recorder
from app.jobs.region_tasks import FOREGROUND_KIND, SETTLED, RegionTasks
from app.jobs.worker import worker_name
from app.schema import require_head
from app.settings import ServiceSettings
from app.sync import region_state, tasks
from app.sync.events import Event, RegionFinished
from app.sync.models import Task
from app.sync.status import RegionReport, RegionState
from app.sync.tasks import Mode, NewTask, TaskStatus

log = logging.getLogger(__name__)

LANE_PREFIX = "cli."
TICK_SECONDS = 0.5
_STOP_STEP_SECONDS = 0.1


def refuse_orphan(context: JobContext, payload: Mapping[str, Any]) -> None:
    """What a worker does with such a job: its program died before it could begin, so nobody will do it.

    Raises:
        NotFoundError: always; the task ends with that reason.

    """
    del payload
    context.check()
    raise NotFoundError("the program that had started this task is gone")


class RegionStop(StopEvent):
    """Set when one region is to end, or the whole run."""

    def __init__(self, whole: StopEvent) -> None:
        super().__init__()
        self._whole = whole

    def is_set(self) -> bool:
        """Whether the region is to end."""
        return super().is_set() or self._whole.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep until it is set or the time is over."""
        deadline = monotonic() + timeout if timeout is not None else float("inf")
        while not self.is_set() and (left := deadline - monotonic()) > 0:
            super().wait(min(left, _STOP_STEP_SECONDS))
        return self.is_set()


@dataclass(slots=True)
class _Held:
    """One region that this program holds."""

    task_id: str
    context: JobContext
    recorder: Recorder
    stop: RegionStop
    report: RegionReport | None = None


class ForegroundWork:
    """The regions that this program works on. A context manager: on leaving, all are given up.

    Args:
        requester: who is shown as having started the tasks.
        stop: set when the whole run is to end.

    Raises:
        DatabaseStateError: the database does not answer, or its tables are not those of this version.

    """

    def __init__(self, settings: ServiceSettings, requester: str, stop: StopEvent) -> None:
        _require_database(settings)
        self._database = Database(settings.database_url)
        self._queue = JobQueue(self._database, settings.jobs, SETTLED)
        self._leases = Leases(self._queue)
        self._service = RegionTasks(self._database, self._queue, make_dispatcher(settings, self._database))
        self._requester = requester
        self._whole_stop = stop
        self._worker = worker_name()
        self._lane = f"{LANE_PREFIX}{socket.gethostname()}:{os.getpid()}"
        self._held: dict[str, _Held] = {}
        self._wake, self._ended = StopEvent(), StopEvent()
        self._announced_at = -ANNOUNCE_SECONDS
        self._thread = Thread(target=self._keep, name="leases", daemon=True)

    def __enter__(self) -> Self:
        """Begin to give signs of life.

        Raises:
            DatabaseStateError: the database does not answer.

        """
        try:
            # Before there is a job: a lane where nobody stands is everybody's.
            self._announce(monotonic())
        except OperationalError as error:
            raise _away() from error
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what is held and sign off; a database that is away by then will find out by itself."""
        self._ended.set()
        self._wake.set()
        self._thread.join()
        try:
            for held in self._held.values():
                self._settle(held)
            with self._database.write() as session:
                withdraw(session, self._worker)
        except OperationalError as away:
            log.warning("the end of the tasks cannot be written: %s", away.orig)
        self._database.dispose()

    def take(self, region: str, names: Iterable[str] | None = None) -> None:
        """Hold a region.

        Raises:
            BusyError: somebody else is at it.
            DatabaseStateError: the database does not answer.

        """
        wanted = tuple(sorted(names)) if names is not None else None
        try:
            task, job = self._claim(NewTask(region, self._requester, names=wanted))
        except OperationalError as error:
            raise _away() from error
        stop = RegionStop(self._whole_stop)
        context = JobContext(job, self._database, self._leases)
        recorder = Recorder(task.id, region, context.transaction, stop, writes_state=True)
        self._held[region] = _Held(task.id, context, recorder, stop)

    def _claim(self, new: NewTask) -> tuple[Task, ClaimedJob]:
        with self._database.write() as session:
            task, created = tasks.start(session, new)
            if not created:
                raise _busy(task)
            job = NewJob(FOREGROUND_KIND, {"task_id": task.id}, lane=self._lane, max_attempts=1)
            task.job_id = self._queue.enqueue(session, job).job_id
        claimed = self._queue.claim_one(task.job_id, self._worker, (FOREGROUND_KIND,))
        if claimed is None:
            raise _busy(task)
        with self._database.write() as session:
            tasks.begin(session, task.id, claimed.attempt)
        return task, claimed

    def stop_of(self, region: str) -> StopEvent:
        """The event that ends work on this region."""
        return self._held[region].stop

    def listen(self, event: Event) -> None:
        """Take note of what goes on; written by a thread beside."""
        region = event.report.region if isinstance(event, RegionFinished) else event.region
        held = self._held.get(region)
        if held is None:
            return
        held.recorder.listen(event)
        if isinstance(event, RegionFinished):
            held.report = event.report
            self._wake.set()

    def _keep(self) -> None:
        while not self._ended.is_set():
            try:
                self._tick(monotonic())
            except OperationalError as error:
                log.warning("the service's database does not answer: %s", error.orig)
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()

    def _announce(self, now: float) -> None:
        """Say who stands in the lane; by one thread at a time, as it replaces what it said before."""
        with self._database.write() as session:
            announce(session, self._worker, (self._lane,))
        self._announced_at = now

    def _tick(self, now: float) -> None:
        if now - self._announced_at >= ANNOUNCE_SECONDS:
            self._announce(now)
        for region, held in list(self._held.items()):
            if held.report is not None:
                self._settle(held)
                del self._held[region]
            else:
                self._look_after(held, now)

    def _look_after(self, held: _Held, now: float) -> None:
        """Renew the lease and write progress; where the region is no longer ours, stop it."""
        standing = held.context.standing
        try:
            if now - standing.renewed_at >= self._queue.settings.heartbeat_seconds:
                held.context.heartbeat()
            else:
                standing.called_off = self._leases.is_called_off(held.context.job)
            held.recorder.flush()
            held.context.check()
        except (CancelledError, LeaseLostError) as error:
            log.info("task %s: %s", held.task_id, error)
            held.stop.set()
        except OperationalError:
            if now - standing.renewed_at > self._queue.settings.lease_seconds:
                held.stop.set()
            raise

    def _settle(self, held: _Held) -> None:
        """Write how the region ended; a region that was never finished counts as called off."""
        job, report = held.context.job, held.report
        try:
            if report is None or (held.context.standing.called_off and report.state is not RegionState.OK):
                self._leases.cancel(job)
                return
            status, reason = verdict(report)
            held.recorder.flush()
            with held.context.transaction() as session:
                tasks.record_outcomes(session, held.task_id, enumerate(report.outcomes))
                tasks.end(session, held.task_id, status, reason, report.counts)
                if status is TaskStatus.SYNCED:
                    region_state.note_synced(session, report.region)
            self._leases.finish(job)
        except LeaseLostError as error:
            log.warning("%s", error)
            return
        # The service looks anew by its own configuration, which need not be that of this run.
        self._service.start(NewTask(report.region, self._requester, mode=Mode.PLAN))


def _require_database(settings: ServiceSettings) -> None:
    try:
        require_head(settings.database_url)
    except OperationalError as error:
        raise _away() from error


def _away() -> DatabaseStateError:
    return DatabaseStateError(
        "the service's database does not answer, so no region can be reserved",
        remedy="without a service: unset SYNCLINE_DATABASE_URL and SYNCLINE_SETTINGS_FILE",
    )


def _busy(task: Task) -> BusyError:
    who = f"started by {task.requester}"
    return BusyError(f"region {task.region} is being synchronised by task {task.id} ({who})")
