"""Wake-ups through Celery, on RabbitMQ or Redis, for workers on any number of machines.

A message holds a job's id and nothing else, is acknowledged when it arrives, and may be lost or
come twice: the table decides. Each region has a queue of its own, named like its lane; what no
living worker stands for goes to ``default``.
"""

from __future__ import annotations

import logging
import uuid
from time import monotonic
from typing import ClassVar

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError

from app.db import Database
from app.jobs.lanes import route
from app.jobs.models import DEFAULT_LANE
from app.settings import JobSettings

log = logging.getLogger(__name__)

WAKE_TASK = "syncline.wake"
CONNECT_SECONDS = 2.0
QUIET_SECONDS = 5.0
"""How long a broker that does not answer is left alone; reminders make up for it."""


def make_celery(settings: JobSettings) -> Celery:
    """The Celery application, without tasks; opens no connection yet."""
    app = Celery("syncline", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=DEFAULT_LANE,
        # A lost message costs a reminder, so none is written to the broker's disk.
        task_default_delivery_mode="transient",
        worker_prefetch_multiplier=1,
        # A worker in the middle of a job does not answer heartbeats; TCP notices a dead broker.
        broker_heartbeat=0,
        worker_detect_quorum_queues=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    return app


class CeleryDispatcher:
    """Sends job ids to the queues of their lanes."""

    needs_reminders: ClassVar[bool] = True

    def __init__(self, app: Celery, database: Database, message_seconds: float = 20.0) -> None:
        self._app = app
        self._database = database
        self._message_seconds = message_seconds
        self._quiet_until = 0.0

    def wake(self, job_id: uuid.UUID, lane: str) -> None:
        """Send the id. Where the broker is away, a reminder will be sent later."""
        if monotonic() < self._quiet_until:
            return
        try:
            self._app.send_task(
                WAKE_TASK,
                args=[str(job_id)],
                queue=self._queue(lane),
                # Older ones have been sent again; by the broker's clock, on RabbitMQ only.
                expiration=self._message_seconds,
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0.0},
            )
        except BrokerError as error:
            self._quiet_until = monotonic() + QUIET_SECONDS
            log.warning("job %s waits for a reminder, the broker does not answer: %s", job_id, error)

    def _queue(self, lane: str) -> str:
        if lane == DEFAULT_LANE:
            return lane
        try:
            with self._database.read() as session:
                return route(session, lane)
        except OperationalError as error:
            log.warning("lane %s is not routed, the database does not answer: %s", lane, error.orig)
            return lane
