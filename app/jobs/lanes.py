"""Who stands where: signs of life of workers, lane by lane.

A lane without a living worker is served by the workers of ``default``. A sign of life counts while
it is near the database's present time on either side, so that a clock that was set back does not
keep a dead worker alive for long.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, delete, exists, insert, not_, select
from sqlalchemy.orm import Session

from app.db import DatabaseTime
from app.jobs.models import DEFAULT_LANE, IS_RUNNING, Job, WorkerLane

ANNOUNCE_SECONDS = 4.0
PRESENCE_SECONDS = 15.0


def _is_fresh() -> ColumnElement[bool]:
    return WorkerLane.seen_at.between(DatabaseTime(-PRESENCE_SECONDS), DatabaseTime(PRESENCE_SECONDS))


def served_lanes() -> Select[str]:
    """The lanes in which at least one worker is alive."""
    return select(WorkerLane.lane).where(_is_fresh()).distinct()


def has_idle_worker() -> ColumnElement[bool]:
    """Whether a living worker holds no job."""
    busy = select(Job.worker).where(IS_RUNNING).correlate(None)
    return exists(select(WorkerLane.worker).where(_is_fresh(), WorkerLane.worker.not_in(busy)))


def announce(session: Session, worker: str, lanes: Iterable[str]) -> None:
    """Say that the worker is alive and serves these lanes, and no others."""
    withdraw(session, worker)
    rows = [{"worker": worker, "lane": lane, "seen_at": DatabaseTime()} for lane in sorted(set(lanes))]
    for row in rows:
        session.execute(insert(WorkerLane).values(row))


def withdraw(session: Session, worker: str) -> None:
    """The worker stops; its lanes are free for others at once."""
    session.execute(delete(WorkerLane).where(WorkerLane.worker == worker))


def forget_silent(session: Session) -> None:
    """Remove the signs of life that no longer count."""
    session.execute(delete(WorkerLane).where(not_(_is_fresh())))


def route(session: Session, lane: str) -> str:
    """The lane whose workers will do the work of ``lane`` now: itself, or ``default``."""
    if lane == DEFAULT_LANE:
        return lane
    served = session.scalars(served_lanes().where(WorkerLane.lane == lane)).first()
    return lane if served else DEFAULT_LANE
