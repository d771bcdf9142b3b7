"""Joins the kinds of work with the code that does them: called in each worker process, after the fork."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.db import Database
from app.jobs.dispatch import make_dispatcher
from app.jobs.foreground import refuse_orphan
from app.jobs.handlers import Handler, JobContext, Registry
from app.jobs.image_tasks import ImageTasks
from app.jobs.models import REGION_PREFIX
from app.jobs.queue import JobQueue
from app.jobs.region_sync import SYNC_KIND, RegionSync
from app.jobs.region_tasks import FOREGROUND_KIND, KIND, SETTLED, RegionTasks, settle
from app.observe.logs import bound
from app.settings import ImageSettings, ServiceSettings
from app.sync import tasks
from app.sync.images.clouds import needs_credentials, open_cloud
from app.sync.images.conf import STANDARD_FILES, find_file, load

Stamp = tuple[str, int, int, int]


@dataclass(slots=True)
class ImageEngine:
    """The image configuration and its cloud, read when first needed and again when the file changes.

    Read that late, so that a configuration with a fault fails the tasks that need it, with the fault as
    their reason, and no worker.
    """

    settings: ImageSettings
    _work: ImageTasks | None = field(default=None)
    _stamp: Stamp | None = field(default=None)

    def work(self) -> ImageTasks:
        """What does tasks by the present configuration.

        Raises:
            ConfigurationError, CredentialError, UsageError: the configuration or the cloud is wrong.

        """
        stamp = self._present_stamp()
        if self._work is None or stamp != self._stamp:
            path = Path(self.settings.config_file) if self.settings.config_file else None
            known = load(path, need_credentials=needs_credentials(self.settings.cloud))
            self._work, self._stamp = ImageTasks(known, open_cloud(self.settings.cloud, known)), stamp
        return self._work

    def run(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Do one task over a region's images; see ``ImageTasks.run``."""
        self.work().run(context, payload)

    def _present_stamp(self) -> Stamp | None:
        """What changes when the file does; None where everything comes from the environment."""
        named = Path(self.settings.config_file) if self.settings.config_file else None
        path = find_file(named, os.environ, STANDARD_FILES)
        if path is None:
            return None
        try:
            facts = path.stat()
        except OSError:
            # Reading it will tell what is wrong with it.
            return None
        return str(path), facts.st_mtime_ns, facts.st_size, facts.st_ino


def _about(context: JobContext, payload: Mapping[str, Any]) -> AbstractContextManager[None]:
    """What the log lines of a job are about."""
    lane = context.job.lane
    region = lane.removeprefix(REGION_PREFIX) if lane.startswith(REGION_PREFIX) else None
    return bound(
        job_id=context.job.id, attempt=context.job.attempt, task_id=payload.get("task_id"), region=region
    )


def _with_log_fields(handler: Handler) -> Handler:
    def run(context: JobContext, payload: Mapping[str, Any]) -> None:
        with _about(context, payload):
            handler(context, payload)

    return run


def _purge(retention_days: float, session: Session) -> bool:
    return tasks.purge(session, retention_days) == tasks.PURGE_ROWS


def region_tasks(settings: ServiceSettings, database: Database) -> RegionTasks:
    """Starts and cancels tasks, for whoever has a database."""
    queue = JobQueue(database, settings.jobs, SETTLED)
    return RegionTasks(database, queue, make_dispatcher(settings, database))


def wiring(settings: ServiceSettings, database: Database) -> Registry:
    """All that a worker of this service can do."""
    engine = ImageEngine(settings.images)
    regions = RegionSync(
        region_tasks(settings, database), lambda: engine.work().cloud, lambda: engine.work().settings
    )
    registry = Registry()
    registry.register(KIND, _with_log_fields(engine.run), settled=settle)
    registry.register(SYNC_KIND, _with_log_fields(regions.run))
    registry.register(FOREGROUND_KIND, refuse_orphan, settled=settle)
    registry.tidy_with(partial(_purge, settings.jobs.retention_days))
    return registry
