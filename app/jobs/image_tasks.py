"""The work of a task over a region's images: plan, apply, remember."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event as StopEvent
from threading import Thread
from typing import Any

from app.errors import CancelledError, LeaseLostError, SynclineError
from app.jobs.handlers import JobContext
from app.jobs.recorder import Recorder
from app.sync import region_state, tasks
from app.sync.images.conf.model import Settings
from app.sync.images.known import known_items
from app.sync.images.model import RegionRef
from app.sync.images.service import ImageService
from app.sync.images.stores.base import Cloud
from app.sync.models import Task
from app.sync.status import RegionReport, RegionState
from app.sync.tasks import Mode, TaskStatus

WATCH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ImageTasks:
    """Does tasks over images with one configuration."""

    settings: Settings
    cloud: Cloud

    def run(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Do the task that the job stands for; a task that has ended meanwhile is left alone.

        Raises:
            SynclineError: the attempt failed; whether another one follows is the job's matter.

        """
        task_id = str(payload["task_id"])
        with context.transaction() as session:
            task = tasks.begin(session, task_id, context.job.attempt)
        if task is None:
            return
        region = _region_ref(task.region)
        with _stopping(context) as stop:
            recorder = Recorder(task_id, task.region, context.transaction, stop, task.mode == Mode.SYNC)
            service = ImageService(
                self.settings, self.cloud, listener=recorder.listen, stop=stop, leased=True
            )
            report: RegionReport | None = None
            if task.mode != Mode.PLAN:
                with recorder.writing():
                    report = self._synchronise(service, region, task)
                context.check()
            self._look(context, service, region)
            self._end(context, task, report)

    def _synchronise(self, service: ImageService, region: RegionRef, task: Task) -> RegionReport:
        names = frozenset(task.names) if task.names is not None else None
        (report,) = service.sync([region], dry_run=task.mode == Mode.DRY_RUN, names=names)
        return report

    def _look(self, context: JobContext, service: ImageService, region: RegionRef) -> None:
        """Remember how the region stands now; where it cannot be seen, remember that."""
        try:
            plan, images = service.plan_and_listing(region)
        except SynclineError as error:
            with context.transaction() as session:
                region_state.note_failure(session, region.full, str(error))
            raise
        with context.transaction() as session:
            region_state.replace_items(session, region.full, known_items(plan, images))

    def _end(self, context: JobContext, task: Task, report: RegionReport | None) -> None:
        status, reason = verdict(report)
        with context.transaction() as session:
            if report is not None:
                tasks.record_outcomes(session, task.id, enumerate(report.outcomes))
            tasks.end(session, task.id, status, reason, report.counts if report else None)
            if status is TaskStatus.SYNCED and task.mode == Mode.SYNC:
                region_state.note_synced(session, task.region)


def verdict(report: RegionReport | None) -> tuple[TaskStatus, str | None]:
    """How a task ended, and what it left undone (spec images 9.5, 13 no. 45).

    As in the original a region that was worked through is ``synced`` also when images are left in an
    error state; the reason says so. A region that could not be worked on is ``failed``.
    """
    if report is None or report.state is RegionState.OK:
        return TaskStatus.SYNCED, None
    if report.state is RegionState.PARTIAL:
        undone = sorted({str(o.item.status) for o in report.outcomes if o.item.status.is_error})
        failed = [o.item.name for o in report.outcomes if o.item.error]
        parts = [*undone, *([f"{len(failed)} images failed"] if failed else [])]
        status = TaskStatus.FAILED if failed else TaskStatus.SYNCED
        return status, ", ".join(parts) or "something beside the images failed"
    errors = [o.item.error for o in report.outcomes if o.item.error]
    return TaskStatus.FAILED, report.error or (errors[0] if errors else "failed")


def _region_ref(full: str) -> RegionRef:
    target, colon, name = full.partition(":")
    return RegionRef(target, name) if colon else RegionRef("master", full)


@contextmanager
def _stopping(context: JobContext) -> Iterator[StopEvent]:
    """An event that is set as soon as the job is to stop, for whatever reason."""
    stop, ended = StopEvent(), StopEvent()

    def watch() -> None:
        while not ended.wait(WATCH_SECONDS):
            try:
                context.check()
            except (CancelledError, LeaseLostError):
                stop.set()
                return

    watcher = Thread(target=watch, name="job watch", daemon=True)
    watcher.start()
    try:
        yield stop
    finally:
        ended.set()
        watcher.join()
