"""Figures that the database knows: asked for when somebody scrapes, whoever made them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic

from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.db import Database, DatabaseTime
from app.jobs.lanes import served_lanes
from app.jobs.models import IS_ACTIVE, Job, WorkerLane
from app.sync.models import IS_SYNCING, RegionState, Task

log = logging.getLogger(__name__)

WINDOW_SECONDS = 86400.0
"""How far back bytes and durations look: tasks are cleared away some day, so no total could only rise."""

TTL_SECONDS = 2.0
DURATION_BOUNDS_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)


def _gauge(
    name: str, text: str, labels: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family


def tasks_by_status(session: Session) -> Metric:
    """Tasks that are kept."""
    rows = session.execute(select(Task.mode, Task.status, func.count()).group_by(Task.mode, Task.status))
    return _gauge(
        "syncline_tasks",
        "Tasks that are kept, by mode and status.",
        ("mode", "status"),
        (((mode, status), number) for mode, status, number in rows),
    )


def region_metrics(session: Session) -> Iterator[Metric]:
    """Items by status, and how old our knowledge is."""
    states = session.scalars(select(RegionState)).all()
    yield _gauge(
        "syncline_region_items",
        "Items of a region by status, as of its last plan and the tasks since.",
        ("region", "content", "status"),
        (
            ((state.region, state.content, status), float(number))
            for state in states
            for status, number in state.counts.items()
        ),
    )
    for column, text in (
        ("planned_at", "was last compared with the master"),
        ("synced_at", "was last synced"),
    ):
        known = ((state, getattr(state, column)) for state in states)
        yield _gauge(
            f"syncline_region_{column.removesuffix('_at')}_timestamp_seconds",
            f"When the region {text}, in seconds since 1970.",
            ("region", "content"),
            (((state.region, state.content), at.timestamp()) for state, at in known if at is not None),
        )


def bytes_by_region(session: Session) -> Metric:
    """What tasks have brought lately."""
    recent = IS_SYNCING | (Task.modified_at > DatabaseTime(-WINDOW_SECONDS))
    rows = session.execute(select(Task.region, func.sum(Task.bytes_done)).where(recent).group_by(Task.region))
    return _gauge(
        "syncline_region_sent_bytes",
        "Bytes brought to a region by tasks of the last 24 hours, running ones included.",
        ("region",),
        (((region,), float(number or 0)) for region, number in rows),
    )


def task_durations(session: Session) -> Metric:
    """How long the tasks of the last day took from their start to their end."""
    rows = session.execute(
        select(Task.mode, Task.started_at, Task.finished_at).where(
            Task.finished_at > DatabaseTime(-WINDOW_SECONDS), Task.started_at.is_not(None)
        )
    )
    taken: dict[str, list[float]] = {}
    for mode, started, finished in rows:
        if started is not None and finished is not None:
            taken.setdefault(mode, []).append(max(0.0, (finished - started).total_seconds()))
    family = GaugeHistogramMetricFamily(
        "syncline_task_duration_seconds",
        "Durations of tasks that ended in the last 24 hours.",
        labels=("mode",),
    )
    for mode, durations in taken.items():
        counts = [
            (str(bound), float(sum(seconds <= bound for seconds in durations)))
            for bound in DURATION_BOUNDS_SECONDS
        ]
        family.add_metric((mode,), [*counts, ("+Inf", float(len(durations)))], sum(durations))
    return family


def queue_metrics(session: Session) -> Iterator[Metric]:
    """What waits and runs, and who is there to do it."""
    jobs = session.execute(
        select(Job.lane, Job.state, func.count()).where(IS_ACTIVE).group_by(Job.lane, Job.state)
    )
    yield _gauge(
        "syncline_jobs",
        "Jobs that wait (queued) or run (running), by lane.",
        ("lane", "state"),
        (((lane, state), number) for lane, state, number in jobs),
    )
    served = served_lanes().subquery()
    workers = session.execute(
        select(WorkerLane.lane, func.count())
        .where(WorkerLane.lane.in_(select(served.c.lane)))
        .group_by(WorkerLane.lane)
    )
    yield _gauge(
        "syncline_workers",
        "Worker processes by the lane they serve.",
        ("lane",),
        (((lane,), number) for lane, number in workers),
    )


def facts(session: Session) -> Iterator[Metric]:
    """All of them, as of one moment."""
    yield tasks_by_status(session)
    yield from region_metrics(session)
    yield bytes_by_region(session)
    yield task_durations(session)
    yield from queue_metrics(session)


@dataclass(slots=True, eq=False)
class FactsCollector(Collector):
    """Hands the database's figures to a scrape; several scrapes within two seconds ask it once."""

    database: Database
    clock: Callable[[], float] = monotonic
    _lock: Lock = field(default_factory=Lock)
    _known: list[Metric] = field(default_factory=list)
    _looked_at: float = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """The figures; without a database only the word that it is away."""
        with self._lock:
            if self.clock() - self._looked_at > TTL_SECONDS:
                self._known = list(self._look())
                self._looked_at = self.clock()
            return self._known

    def _look(self) -> Iterator[Metric]:
        found: list[Metric] = []
        try:
            with self.database.read() as session:
                found = list(facts(session))
        except SQLAlchemyError as error:
            log.warning("no figures, the database does not answer: %s", type(error).__name__)
        up = GaugeMetricFamily("syncline_database_up", "1 if the database answered this scrape, else 0.")
        up.add_metric((), 1.0 if found else 0.0)
        yield up
        yield from found

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask the database."""
        return []
