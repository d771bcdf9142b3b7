"""The holder's side of a job: keep it, write under its protection, end it, lose it.

Every statement here names the job and the attempt. A worker that slept through its lease
therefore changes nothing any more, whatever it believes (docs/adr/0002-job-table.md).
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Executable, Uuid, and_, bindparam, case, not_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from app.db import DatabaseTime
from app.errors import LeaseLostError
from app.jobs.models import IS_RUNNING, JOBS, ClaimedJob, Job, JobState, SettledJob
from app.jobs.queue import JobQueue

FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 300.0
ERROR_CHARACTERS = 2000
LOST = "lost"
"""First word of the error of a job whose worker vanished (spec images 9.5 [P])."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A running job as an onlooker sees it.

    Attributes:
        expired: its time is over by the database's clock.

    """

    job_id: uuid.UUID
    attempt: int
    heartbeat_at: datetime | None
    expired: bool


def backoff_seconds(attempt: int, spread: float) -> float:
    """How long to wait before the next try.

    Doubles with each attempt up to five minutes, times 0.5 to 1.5 by ``spread`` (0..1), so that
    jobs that failed together do not come back together.
    """
    delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt - 1, 30))
    return delay * (0.5 + spread)


@dataclass(slots=True)
class LeaseWatch:
    """Tells which workers have vanished, by watching whether their leases still move.

    A lease that has not moved for its whole length on this process's own steady clock is lost,
    whatever the wall clocks say. One that is also over by the database's clock is lost after
    ``confirm_seconds`` of stillness: time enough for a living worker to renew it when that clock
    has merely jumped.
    """

    lease_seconds: float
    confirm_seconds: float
    _seen: dict[uuid.UUID, tuple[Lease, float]] = field(default_factory=dict)

    def lost(self, leases: Iterable[Lease], steady_seconds: float) -> list[Lease]:
        """The leases to take back now; ``steady_seconds`` is the time of a monotonic clock."""
        before, self._seen = self._seen, {}
        found = []
        for lease in leases:
            earlier, since = before.get(lease.job_id, (lease, steady_seconds))
            if (earlier.attempt, earlier.heartbeat_at) != (lease.attempt, lease.heartbeat_at):
                since = steady_seconds
            self._seen[lease.job_id] = (lease, since)
            still_seconds = steady_seconds - since
            if still_seconds >= (self.confirm_seconds if lease.expired else self.lease_seconds):
                found.append(lease)
        return found


# Prepared once: building a statement costs more than running it.
_IS_HELD = and_(
    Job.id == bindparam("held_id", type_=Uuid()), Job.attempt == bindparam("held_attempt"), IS_RUNNING
)
_LOOK = select(Job.cancel_requested).where(_IS_HELD)
_GUARD = select(Job.id).where(_IS_HELD).with_for_update()
_RENEW = (
    update(JOBS)
    .where(_IS_HELD)
    .values(lease_until=DatabaseTime(bindparam("lease_seconds")), heartbeat_at=DatabaseTime())
    .returning(JOBS.c.cancel_requested)
)
_END = (
    update(JOBS)
    .where(_IS_HELD)
    .values(
        state=bindparam("end_state"),
        error=bindparam("end_error"),
        lease_until=None,
        finished_at=DatabaseTime(),
    )
    .returning(JOBS.c.id)
)


def _back(which: ColumnElement[bool], due: DatabaseTime | None, **more: str) -> ReturningUpdate[Any]:
    """The statement that puts a running job back among the waiting ones, or ends it where it must."""
    again = and_(not_(JOBS.c.cancel_requested), JOBS.c.attempt < JOBS.c.max_attempts)
    state = case(
        (JOBS.c.cancel_requested, JobState.CANCELLED.value),
        (again, JobState.QUEUED.value),
        else_=JobState.FAILED.value,
    )
    finished = case((again, None), else_=DatabaseTime())
    values = {"state": state, "finished_at": finished, "due_at": due, "lease_until": None, "woken_at": None}
    change = update(JOBS).where(which).values({**values, **more})
    return change.returning(JOBS.c.id, JOBS.c.kind, JOBS.c.lane, JOBS.c.payload, JOBS.c.state, JOBS.c.error)


def _held(job: ClaimedJob, **more: object) -> dict[str, Any]:
    return {"held_id": job.id, "held_attempt": job.attempt, **more}


def _lost(job: ClaimedJob) -> LeaseLostError:
    return LeaseLostError(f"job {job.id} is no longer held by attempt {job.attempt}")


def guard(session: Session, job: ClaimedJob) -> None:
    """Make the session's transaction one that only the job's holder can commit.

    Locks the job's row, so that it cannot be taken away before the transaction ends; keep it short.

    Raises:
        LeaseLostError: somebody else holds the job, or it has ended.

    """
    if session.execute(_GUARD, _held(job)).first() is None:
        raise _lost(job)


@dataclass(frozen=True, slots=True)
class Leases:
    """What may be done to running jobs of a queue."""

    queue: JobQueue

    def renew(self, job: ClaimedJob) -> bool:
        """Prolong the lease; returns whether the job was called off meanwhile.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        parameters = _held(job, lease_seconds=self.queue.settings.lease_seconds)
        row = self.queue.database.one(_RENEW, parameters)
        if row is None:
            raise _lost(job)
        return bool(row.cancel_requested)

    def is_called_off(self, job: ClaimedJob) -> bool:
        """Whether somebody wants the job to stop; looks without writing.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        row = self.queue.database.one(_LOOK, _held(job))
        if row is None:
            raise _lost(job)
        return bool(row.cancel_requested)

    def finish(self, job: ClaimedJob) -> None:
        """The work is done.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        self._end(job, JobState.DONE, None)

    def cancel(self, job: ClaimedJob) -> None:
        """The work was broken off because somebody asked for that.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        self._end(job, JobState.CANCELLED, None)

    def fail(self, job: ClaimedJob, error: str, *, retry: bool) -> JobState:
        """The attempt failed: wait and try again while attempts are left, else it is final.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        error = error[:ERROR_CHARACTERS]
        if not retry:
            return self._end(job, JobState.FAILED, error)
        delay = backoff_seconds(job.attempt, random.random())  # noqa: S311  # spreads load, hides nothing
        change = _back(_IS_HELD, DatabaseTime(bindparam("delay_seconds")), error=error)
        with self.queue.database.write() as session:
            state = self._give_back(session, change, _held(job, delay_seconds=delay))
        if state is None:
            raise _lost(job)
        return state

    def release(self, job: ClaimedJob) -> None:
        """Give the job back unfinished because this worker stops; costs it no attempt.

        Raises:
            LeaseLostError: somebody else holds the job, or it has ended.

        """
        # The attempt number fences writes and may not fall, so the bound rises instead.
        with self.queue.database.write() as session:
            guard(session, job)
            session.execute(
                update(JOBS).where(JOBS.c.id == job.id).values(max_attempts=JOBS.c.max_attempts + 1)
            )
            self._give_back(session, _back(_IS_HELD, None), _held(job))

    def running(self) -> list[Lease]:
        """All leases that are out."""
        expired = Job.lease_until < DatabaseTime()
        with self.queue.database.read() as session:
            rows = session.execute(
                select(Job.id, Job.attempt, Job.heartbeat_at, expired).where(IS_RUNNING)
            ).all()
        return [Lease(row[0], row[1], row[2], bool(row[3])) for row in rows]

    def take_back(self, lease: Lease) -> JobState | None:
        """Take a lost job from its worker; None where it has moved since it was looked at."""
        unmoved = and_(
            Job.id == lease.job_id,
            Job.attempt == lease.attempt,
            Job.heartbeat_at == lease.heartbeat_at,
            IS_RUNNING,
        )
        with self.queue.database.write() as session:
            change = _back(unmoved, None, error=f"{LOST}: the worker vanished")
            return self._give_back(session, change, {})

    def _end(self, job: ClaimedJob, state: JobState, error: str | None) -> JobState:
        parameters = _held(job, end_state=state.value, end_error=error)
        if job.kind not in self.queue.settled:
            if self.queue.database.one(_END, parameters) is None:
                with self.queue.database.read() as session:
                    _require_ended(session, job, state)
            return state
        with self.queue.database.write() as session:
            if session.execute(_END, parameters).first() is None:
                _require_ended(session, job, state)
            else:
                settled = SettledJob(job.id, job.kind, job.lane, job.payload, state, error)
                self.queue.tell(session, settled)
        return state

    def _give_back(
        self, session: Session, change: Executable, parameters: Mapping[str, Any]
    ) -> JobState | None:
        row = session.execute(change, parameters).first()
        if row is None:
            return None
        state = JobState(row.state)
        if state.is_final:
            self.queue.tell(session, SettledJob(row.id, row.kind, row.lane, row.payload, state, row.error))
        return state


def _require_ended(session: Session, job: ClaimedJob, state: JobState) -> None:
    """Accept that our own earlier try was committed although its answer was lost on the way."""
    row: Sequence[Any] | None = session.execute(
        select(Job.attempt, Job.state).where(Job.id == job.id)
    ).first()
    if row is None or (row[0], row[1]) != (job.attempt, state.value):
        raise _lost(job)
