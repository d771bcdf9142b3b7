"""The supply side of the job table: put work in, hand it out, call it off, clear it away."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Executable, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from app.db import Database, DatabaseTime
from app.errors import UsageError
from app.jobs.claim import claim_named, claim_next, is_due
from app.jobs.lanes import has_idle_worker
from app.jobs.models import IS_ACTIVE, IS_QUEUED, JOBS, ClaimedJob, Job, JobState, NewJob, SettledJob
from app.settings import JobSettings

Settled = Callable[[Session, SettledJob], None]
"""Told, inside the transaction that ends a job, how it ended; must not block."""

# Any number does, as long as nothing else in this database uses it.
CLAIM_LOCK = 7_962_546_302
PURGE_ROWS = 1000
FIRST_REMINDER_SECONDS = 1.0
REMINDERS_PER_LANE = 2
_TAKE_TURN = select(func.pg_advisory_xact_lock(CLAIM_LOCK))
_DEDUPE_TRIES = 5


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job that will do the work; ``created`` is false where one was already under way."""

    job_id: uuid.UUID
    lane: str
    created: bool


@dataclass(frozen=True, slots=True)
class JobQueue:
    """The job table of one database.

    Attributes:
        settled: who wants to know, by kind, that a job has ended.

    """

    database: Database
    settings: JobSettings
    settled: Mapping[str, Settled] = field(default_factory=dict)

    def enqueue(self, session: Session, job: NewJob) -> Enqueued:
        """Add a job inside the caller's transaction, or find the one with the same dedupe key.

        Workers see it when the transaction is committed; wake them after that.

        Raises:
            UsageError: the key's holder ended again and again while we looked.

        """
        statement = _insert(session.get_bind().dialect.name, now=job.due is None)
        parameters = _parameters(job, self.settings)
        for _ in range(_DEDUPE_TRIES):
            new_id = session.execute(statement, parameters).scalar()
            if new_id is not None:
                return Enqueued(new_id, job.lane, created=True)
            holder = session.execute(
                select(Job.id, Job.lane).where(Job.dedupe_key == job.dedupe_key, IS_ACTIVE)
            ).first()
            if holder is not None:
                return Enqueued(holder.id, holder.lane, created=False)
        raise UsageError(f"the job {job.dedupe_key} cannot be added", remedy="try again")

    def add(self, job: NewJob) -> Enqueued:
        """Add a job, or find the one with the same dedupe key, in a transaction of its own.

        Raises:
            UsageError: see ``enqueue``.

        """
        statement = _insert(self.database.engine.dialect.name, now=job.due is None)
        parameters = _parameters(job, self.settings)
        row = self.database.one(statement, parameters)
        if row is not None:
            return Enqueued(row.id, job.lane, created=True)
        with self.database.write() as session:
            return self.enqueue(session, job)

    def claim(self, lanes: Collection[str], worker: str, kinds: Collection[str]) -> ClaimedJob | None:
        """Take the first due job of these lanes and kinds, or None where there is none."""
        statement = claim_next(
            tuple(sorted(lanes)),
            tuple(sorted(kinds)),
            self.settings.lease_seconds,
            self.settings.max_children,
        )
        return self._claim(statement, {"claimed_by": worker})

    def claim_one(self, job_id: uuid.UUID, worker: str, kinds: Collection[str]) -> ClaimedJob | None:
        """Take this job if it still waits, is due and within the bound; else None."""
        statement = claim_named(tuple(sorted(kinds)), self.settings.lease_seconds, self.settings.max_children)
        return self._claim(statement, {"claimed_by": worker, "claimed_id": job_id})

    def _claim(self, statement: Executable, parameters: Mapping[str, Any]) -> ClaimedJob | None:
        if self.settings.max_children and not self.database.is_sqlite:
            # Two claims that count the running regions at once could both see the last free place.
            # SQLite runs one writing statement at a time anyway.
            with self.database.write() as session:
                session.execute(_TAKE_TURN)
                row = session.execute(statement, parameters).first()
        else:
            row = self.database.one(statement, parameters)
        return None if row is None else ClaimedJob(**row._mapping)

    def request_cancel(self, session: Session, job_id: uuid.UUID) -> JobState | None:
        """Call a job off: a waiting one at once, a running one at its next check.

        Returns:
            the state that follows; None for a job that does not exist.

        """
        waiting = Job.state == JobState.QUEUED.value
        row = session.execute(
            update(Job)
            .where(Job.id == job_id, IS_ACTIVE)
            .values(
                cancel_requested=True,
                state=case((waiting, JobState.CANCELLED.value), else_=Job.state),
                finished_at=case((waiting, DatabaseTime()), else_=None),
            )
            .execution_options(synchronize_session=False)
            .returning(Job.id, Job.kind, Job.lane, Job.payload, Job.state)
        ).first()
        if row is None:
            state = session.scalar(select(Job.state).where(Job.id == job_id))
            return None if state is None else JobState(state)
        state = JobState(row.state)
        if state.is_final:
            self.tell(session, SettledJob(row.id, row.kind, row.lane, row.payload, state, None))
        return state

    def tell(self, session: Session, job: SettledJob) -> None:
        """Let the part that owns the kind write its own end in the same transaction."""
        listener = self.settled.get(job.kind)
        if listener is not None:
            listener(session, job)

    def wake_due(self) -> list[tuple[uuid.UUID, str]]:
        """Mark and return due jobs whose workers were never told, or too long ago: (id, lane).

        A few of each lane, because a woken worker empties its lanes; none while all workers are
        busy, because they do so anyway when they have ended what they hold.
        """
        patience = self.settings.rewake_seconds
        stale = or_(
            Job.woken_at.is_(None),
            ~Job.woken_at.between(DatabaseTime(-patience), DatabaseTime(patience)),
        )
        order = (Job.woken_at.asc().nulls_first(), Job.priority.desc(), Job.created_at)
        place = func.row_number().over(partition_by=Job.lane, order_by=order).label("place")
        ranked = select(Job.id, place).where(IS_QUEUED, is_due(), stale).subquery()
        first = select(ranked.c.id).where(ranked.c.place <= REMINDERS_PER_LANE, has_idle_worker())
        with self.database.write() as session:
            rows = session.execute(
                update(Job)
                .where(Job.id.in_(first))
                .values(woken_at=DatabaseTime())
                .execution_options(synchronize_session=False)
                .returning(Job.id, Job.lane)
            ).all()
        return [(row.id, row.lane) for row in rows]

    def purge(self) -> int:
        """Delete jobs that ended longer ago than the retention; returns how many (a batch at most)."""
        if not self.settings.retention_days:
            return 0
        limit = DatabaseTime(-self.settings.retention_days * 86400.0)
        old = select(Job.id).where(Job.finished_at < limit).limit(PURGE_ROWS).correlate(None)
        with self.database.write() as session:
            gone = session.scalars(
                delete(Job)
                .where(Job.id.in_(old))
                .execution_options(synchronize_session=False)
                .returning(Job.id)
            ).all()
        return len(gone)

    def depth(self) -> dict[tuple[str, JobState], int]:
        """How many jobs wait and run, by lane; what metrics and readiness show."""
        with self.database.read() as session:
            rows = session.execute(
                select(Job.lane, Job.state, func.count()).where(IS_ACTIVE).group_by(Job.lane, Job.state)
            ).all()
        return {(lane, JobState(state)): number for lane, state, number in rows}


def _parameters(job: NewJob, settings: JobSettings) -> dict[str, Any]:
    return {
        "id": uuid.uuid4(),
        "kind": job.kind,
        "lane": job.lane,
        "payload": dict(job.payload),
        "priority": job.priority,
        "due_at": job.due,
        "max_attempts": job.max_attempts or settings.max_attempts,
        # Its message may lie with a busy worker while another one is idle: remind soon, then seldom.
        "woken_shift": min(0.0, FIRST_REMINDER_SECONDS - settings.rewake_seconds),
        "dedupe_key": job.dedupe_key,
    }


@cache
def _insert(dialect: str, *, now: bool) -> ReturningInsert[uuid.UUID]:
    """Add a job unless its dedupe key is taken.

    Whoever adds a job for now wakes a worker himself; for later, the keeper does.
    """
    columns = ("id", "kind", "lane", "payload", "priority", "due_at", "max_attempts", "dedupe_key")
    values: dict[str, Any] = {name: bindparam(name) for name in columns}
    values |= {"state": JobState.QUEUED.value, "created_at": DatabaseTime()}
    values |= {"woken_at": DatabaseTime(bindparam("woken_shift")) if now else None}
    key = [JOBS.c.dedupe_key]
    if dialect == "sqlite":
        lite = sqlite.insert(JOBS).values(values)
        return lite.on_conflict_do_nothing(index_elements=key, index_where=IS_ACTIVE).returning(JOBS.c.id)
    full = postgresql.insert(JOBS).values(values)
    return full.on_conflict_do_nothing(index_elements=key, index_where=IS_ACTIVE).returning(JOBS.c.id)
