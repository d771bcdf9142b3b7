"""The job table against a model of it, through any order of events (SQLite)."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from sqlalchemy import select, update

from app.db import Database
from app.errors import LeaseLostError
from app.jobs.lease import Leases
from app.jobs.models import ClaimedJob, Job, JobState, NewJob, SettledJob, region_lane
from app.jobs.queue import JobQueue
from app.schema import upgrade
from app.settings import JobSettings

MAX_CHILDREN = 2
TRIES = 3
LANES = ("default", region_lane("a"), region_lane("b"), region_lane("c"))
KEYS = (None, None, "k1", "k2")


@dataclass
class Known:
    """What the model believes of one job."""

    lane: str
    priority: int
    key: str | None
    number: int
    state: JobState = JobState.QUEUED
    attempt: int = 0
    bound: int = TRIES
    called_off: bool = False


class JobTable(RuleBasedStateMachine):
    """Adds, claims, ends, loses and calls off jobs; old holders keep trying."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name) / 'jobs.db'}"
        upgrade(url)
        self.database = Database(url)
        self.ends: list[tuple[uuid.UUID, JobState]] = []
        self.queue = JobQueue(
            self.database,
            replace(JobSettings(), max_children=MAX_CHILDREN, max_attempts=TRIES),
            {"work": self._told},
        )
        self.leases = Leases(self.queue)
        self.jobs: dict[uuid.UUID, Known] = {}

    def _told(self, _session: object, job: SettledJob) -> None:
        self.ends.append((job.id, job.state))

    def teardown(self) -> None:
        self.database.dispose()
        self.folder.cleanup()

    @rule(lane=st.sampled_from(LANES), priority=st.integers(0, 2), key=st.sampled_from(KEYS))
    def add(self, lane: str, priority: int, key: str | None) -> None:
        added = self.queue.add(NewJob("work", {}, lane=lane, priority=priority, dedupe_key=key))
        holder = next(
            (i for i, job in self.jobs.items() if key and job.key == key and self._active(job)), None
        )
        assert added.created == (holder is None)
        if holder is not None:
            assert added.job_id == holder
        else:
            self.jobs[added.job_id] = Known(lane, priority, key, len(self.jobs))
            # The model has a finer order than a clock of milliseconds.
            self._age(added.job_id, len(self.jobs))

    def _age(self, job_id: uuid.UUID, number: int) -> None:
        with self.database.write() as session:
            made = datetime(2026, 1, 1, 0, number // 60, number % 60, tzinfo=UTC)
            session.execute(update(Job).where(Job.id == job_id).values(created_at=made))

    @rule(target=held)
    def claim(self) -> ClaimedJob | None:
        claimed = self.queue.claim(("default",), "w", ("work",))
        best = min(
            self._takeable(), key=lambda i: (-self.jobs[i].priority, self.jobs[i].number), default=None
        )
        assert (claimed.id if claimed else None) == best
        return self._noted(claimed)

    @rule(target=held, data=st.data())
    def claim_one(self, data: st.DataObject) -> ClaimedJob | None:
        if not self.jobs:
            return None
        wanted = data.draw(st.sampled_from(sorted(self.jobs)))
        takeable = wanted in self._takeable()
        claimed = self.queue.claim_one(wanted, "w", ("work",))
        assert (claimed is not None) == takeable
        return self._noted(claimed)

    def _noted(self, claimed: ClaimedJob | None) -> ClaimedJob | None:
        if claimed is not None:
            known = self.jobs[claimed.id]
            known.state, known.attempt = JobState.RUNNING, known.attempt + 1
            assert claimed.attempt == known.attempt
        return claimed

    @rule(job=consumes(held), end=st.sampled_from(["finish", "cancel", "retry", "fail", "release"]))
    def end(self, job: ClaimedJob | None, end: str) -> None:
        if job is None:
            return
        acts = {
            "finish": self.leases.finish,
            "cancel": self.leases.cancel,
            "retry": lambda held: self.leases.fail(held, "away", retry=True),
            "fail": lambda held: self.leases.fail(held, "refused", retry=False),
            "release": self.leases.release,
        }
        known = self.jobs[job.id]
        if not self._holds(job):
            with pytest.raises(LeaseLostError):
                acts[end](job)
            return
        acts[end](job)
        if end == "release":
            known.bound += 1
        finals = {"finish": JobState.DONE, "cancel": JobState.CANCELLED, "fail": JobState.FAILED}
        known.state = finals.get(end) or self._after_failure(known)
        self._due_now()

    @rule(job=held)
    def beat(self, job: ClaimedJob | None) -> None:
        if job is None:
            return
        if self._holds(job):
            assert self.leases.renew(job) == self.jobs[job.id].called_off
        else:
            with pytest.raises(LeaseLostError):
                self.leases.renew(job)

    @rule()
    def lose_all(self) -> None:
        for lease in self.leases.running():
            state = self.leases.take_back(lease)
            known = self.jobs[lease.job_id]
            known.state = self._after_failure(known)
            assert state is known.state

    @rule(data=st.data())
    def call_off(self, data: st.DataObject) -> None:
        if not self.jobs:
            return
        wanted = data.draw(st.sampled_from(sorted(self.jobs)))
        known = self.jobs[wanted]
        with self.database.write() as session:
            state = self.queue.request_cancel(session, wanted)
        if known.state is JobState.QUEUED:
            known.state = JobState.CANCELLED
        known.called_off = known.called_off or known.state is JobState.RUNNING
        assert state is known.state

    @invariant()
    def table_and_model_agree(self) -> None:
        with self.database.read() as session:
            rows = session.execute(select(Job.id, Job.state, Job.attempt, Job.max_attempts)).all()
        assert {r.id: (r.state, r.attempt, r.max_attempts) for r in rows} == {
            i: (job.state.value, job.attempt, job.bound) for i, job in self.jobs.items()
        }

    @invariant()
    def every_end_was_told_once(self) -> None:
        ended = sorted((i, job.state) for i, job in self.jobs.items() if job.state.is_final)
        assert sorted(self.ends) == ended

    @invariant()
    def no_more_regions_than_allowed(self) -> None:
        assert self._regions() <= MAX_CHILDREN

    def _due_now(self) -> None:
        with self.database.write() as session:
            session.execute(update(Job).values(due_at=None))

    def _active(self, job: Known) -> bool:
        return not job.state.is_final

    def _holds(self, job: ClaimedJob) -> bool:
        known = self.jobs[job.id]
        return known.state is JobState.RUNNING and known.attempt == job.attempt

    def _regions(self) -> int:
        return sum(j.state is JobState.RUNNING and j.lane != "default" for j in self.jobs.values())

    def _takeable(self) -> set[uuid.UUID]:
        room = self._regions() < MAX_CHILDREN
        return {
            i
            for i, job in self.jobs.items()
            if job.state is JobState.QUEUED and (room or job.lane == "default")
        }

    def _after_failure(self, job: Known) -> JobState:
        if job.called_off:
            return JobState.CANCELLED
        return JobState.QUEUED if job.attempt < job.bound else JobState.FAILED


JobTable.TestCase.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestJobTable = JobTable.TestCase
