"""The one statement by which a worker takes a job. Built here, run by ``app.jobs.queue``."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Uuid,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from app.db import DatabaseTime
from app.jobs.lanes import served_lanes
from app.jobs.models import DEFAULT_LANE, IS_QUEUED, IS_REGIONAL, IS_RUNNING, Job, JobState

Claim = tuple[uuid.UUID, str, str, dict[str, Any], int, int]


def is_due() -> ColumnElement[bool]:
    """Whether a waiting job may start now."""
    return or_(Job.due_at.is_(None), Job.due_at <= DatabaseTime())


def in_lanes(lanes: tuple[str, ...]) -> ColumnElement[bool]:
    """Whether a worker of these lanes takes the job; ``default`` includes lanes nobody serves."""
    mine = Job.lane.in_([literal(lane) for lane in lanes])
    if DEFAULT_LANE not in lanes:
        return mine
    return or_(mine, Job.lane.not_in(served_lanes()))


def _within_bound(max_children: int) -> ColumnElement[bool]:
    running = select(func.count()).select_from(Job).where(IS_RUNNING, IS_REGIONAL)
    return or_(not_(IS_REGIONAL), running.correlate(None).scalar_subquery() < max_children)


def _of_kinds(kinds: tuple[str, ...]) -> ColumnElement[bool]:
    # One parameter each: a list would have to be written into the statement at every run.
    return Job.kind.in_([literal(kind) for kind in kinds])


def _taken(
    candidate: ColumnElement[bool], kinds: tuple[str, ...], lease_seconds: float
) -> ReturningUpdate[Claim]:
    statement = update(Job).where(candidate, IS_QUEUED, _of_kinds(kinds))
    changed = statement.values(
        state=literal_column(f"'{JobState.RUNNING}'"),
        attempt=Job.attempt + 1,
        worker=bindparam("claimed_by"),
        lease_until=DatabaseTime(lease_seconds),
        heartbeat_at=DatabaseTime(),
        started_at=func.coalesce(Job.started_at, DatabaseTime()),
    ).execution_options(synchronize_session=False)
    return changed.returning(Job.id, Job.kind, Job.lane, Job.payload, Job.attempt, Job.max_attempts)


@lru_cache(maxsize=64)
def claim_next(
    lanes: tuple[str, ...], kinds: tuple[str, ...], lease_seconds: float, max_children: int
) -> ReturningUpdate[Claim]:
    """Take the first waiting job of these lanes and kinds: highest priority, then oldest.

    The parameter ``claimed_by`` names the worker. ``max_children`` bounds running region jobs;
    0 is no bound.
    """
    best = (
        select(Job.id)
        .where(IS_QUEUED, is_due(), _of_kinds(kinds), in_lanes(lanes))
        .order_by(Job.priority.desc(), Job.created_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .correlate(None)
    )
    if max_children:
        best = best.where(_within_bound(max_children))
    return _taken(Job.id == best.scalar_subquery(), kinds, lease_seconds)


@lru_cache(maxsize=64)
def claim_named(kinds: tuple[str, ...], lease_seconds: float, max_children: int) -> ReturningUpdate[Claim]:
    """Take the job ``claimed_id`` if it still waits and is due: compare-and-set."""
    wanted = and_(Job.id == bindparam("claimed_id", type_=Uuid()), is_due())
    if max_children:
        wanted = and_(wanted, _within_bound(max_children))
    return _taken(wanted, kinds, lease_seconds)
