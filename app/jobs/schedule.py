"""Work that comes again: puts due jobs into the table, once per period however many do it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.db import DatabaseTime
from app.jobs.models import NewJob, ScheduleSlot
from app.jobs.queue import Enqueued, JobQueue
from app.settings import Schedule


class Step(Enum):
    """What is to be done about a schedule now."""

    NOTHING = auto()
    REMEMBER = auto()
    RUN = auto()


def slot_at(schedule: Schedule, now: datetime) -> int:
    """The number of the period that ``now`` lies in."""
    return int((now.timestamp() - schedule.offset_seconds) // schedule.every_seconds)


def slot_start(schedule: Schedule, slot: int) -> datetime:
    """When a period begins."""
    return datetime.fromtimestamp(slot * schedule.every_seconds + schedule.offset_seconds, UTC)


def next_step(known: int | None, present: int) -> Step:
    """What follows from the last period that was served.

    A new schedule begins with its next period. Of periods that were missed only the present one is
    made up for. A clock set back by more than a period starts the count anew; by less, nothing
    runs twice.
    """
    if known is None:
        return Step.REMEMBER
    if present > known:
        return Step.RUN
    return Step.REMEMBER if known - present > 1 else Step.NOTHING


def run_due(queue: JobQueue, schedules: tuple[Schedule, ...]) -> list[Enqueued]:
    """Add the jobs of all schedules whose next period has begun; returns those to wake now."""
    if not schedules:
        return []
    now, known = _look(queue)
    added = []
    for schedule in schedules:
        slot = slot_at(schedule, now)
        step = next_step(known.get(schedule.name), slot)
        if step is not Step.NOTHING:
            job = _advance(queue, schedule, known.get(schedule.name), slot, step)
            if job is not None:
                added.append(job)
    return added


def _look(queue: JobQueue) -> tuple[datetime, Mapping[str, int]]:
    with queue.database.read() as session:
        now = session.execute(select(DatabaseTime())).scalar_one()
        rows = session.execute(select(ScheduleSlot.name, ScheduleSlot.slot)).all()
    return now, {name: slot for name, slot in rows}  # noqa: C416  # rows are no pairs for the type checker


def _advance(
    queue: JobQueue, schedule: Schedule, known: int | None, slot: int, step: Step
) -> Enqueued | None:
    """Note the period and add its job in one transaction; None where somebody else was faster."""
    try:
        with queue.database.write() as session:
            if not _note(session, schedule.name, known, slot) or step is not Step.RUN:
                return None
            due = _due(schedule, slot)
            added = queue.enqueue(session, _job(schedule, due))
    except IntegrityError:
        return None
    return added if added.created and due is None else None


def _note(session: Session, name: str, known: int | None, slot: int) -> bool:
    if known is None:
        session.execute(insert(ScheduleSlot).values(name=name, slot=slot))
        return True
    changed = session.execute(
        update(ScheduleSlot)
        .where(ScheduleSlot.name == name, ScheduleSlot.slot == known)
        .values(slot=slot)
        .execution_options(synchronize_session=False)
        .returning(ScheduleSlot.name)
    ).first()
    return changed is not None


def _due(schedule: Schedule, slot: int) -> datetime | None:
    if not schedule.jitter_seconds:
        return None
    late = timedelta(seconds=random.uniform(0.0, schedule.jitter_seconds))  # noqa: S311  # spreads load
    return slot_start(schedule, slot) + late


def _job(schedule: Schedule, due: datetime | None) -> NewJob:
    # While one run is still waiting or going on, the next one is not added on top of it.
    return NewJob(
        kind=schedule.kind,
        payload=schedule.payload,
        lane=schedule.lane,
        dedupe_key=f"schedule:{schedule.name}",
        due=due,
    )
