"""A worker process that is woken by Celery messages.

Celery's "solo" pool runs the job in the process that receives messages; our own supervisor starts
as many as are wanted. So a connection that the broker closes while a job takes hours is noticed
after the job, not at its cost (docs/adr/0002-job-table.md).
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import signals
from sqlalchemy.exc import OperationalError

from app.jobs.celery_dispatch import WAKE_TASK, make_celery
from app.jobs.models import ClaimedJob
from app.jobs.stop import StopFlag
from app.jobs.worker import Wiring, Workplace
from app.settings import ServiceSettings

log = logging.getLogger(__name__)


def work_on(workplace: Workplace, job_id: str) -> None:
    """Take what waits in the worker's lanes, one after the other, until nothing does.

    Not just the job that the message names: most often another worker has it already, a more
    urgent one may wait, a message can be lost, and a region may have had to wait for another one.
    """
    try:
        while (job := _next(workplace)) is not None:
            workplace.run(job)
    except OperationalError as error:
        log.warning("woken for job %s: the database does not answer: %s", job_id, error.orig)


def _next(workplace: Workplace) -> ClaimedJob | None:
    return None if workplace.stop.is_set() else workplace.claim()


def run_celery_worker(settings: ServiceSettings, wiring: Wiring, stop: StopFlag) -> None:
    """Serve the queues of the settings' lanes until SIGTERM, which gives a running job its grace."""
    app = make_celery(settings.jobs)
    workplace = Workplace.open(settings, wiring, stop)

    def wake(job_id: str) -> None:
        work_on(workplace, job_id)

    def stopping(**_: Any) -> None:  # noqa: ANN401  # Celery's signals send what they like
        stop.set()

    app.task(wake, name=WAKE_TASK)
    # From here on SIGTERM is Celery's, which would tell the job nothing.
    signals.worker_shutting_down.connect(stopping)
    try:
        worker = app.Worker(
            hostname=f"syncline-{os.getpid()}@%h",
            pool="solo",
            concurrency=1,
            queues=list(settings.jobs.lanes),
            loglevel="WARNING",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        worker.start()
    finally:
        workplace.close()
