"""The job table's rules, on SQLite and on PostgreSQL."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import Database, DatabaseTime
from app.errors import LeaseLostError
from app.jobs.lanes import PRESENCE_SECONDS, announce, forget_silent, route, withdraw
from app.jobs.lease import Lease, Leases, guard
from app.jobs.models import ClaimedJob, Job, JobState, NewJob, SettledJob, WorkerLane, region_lane
from app.jobs.queue import FIRST_REMINDER_SECONDS, JobQueue
from app.settings import JobSettings

ANY = ("work",)
HOUR = timedelta(hours=1)


def add(queue: JobQueue, kind: str = "work", **more: Any) -> uuid.UUID:
    """Add a job; its id."""
    return queue.add(NewJob(kind, {"n": 1}, **more)).job_id


def take(queue: JobQueue, *lanes: str) -> ClaimedJob:
    """Claim a job that has to be there."""
    job = queue.claim(lanes or ("default",), "w", ANY)
    assert job is not None
    return job


def row(queue: JobQueue, job_id: uuid.UUID) -> Job:
    """A job as it stands in the table."""
    with queue.database.read() as session:
        return session.execute(select(Job).where(Job.id == job_id)).scalar_one()


def change(queue: JobQueue, job_id: uuid.UUID, **values: Any) -> None:
    """Alter a job's row, as time or another process would."""
    with queue.database.write() as session:
        session.execute(update(Job).where(Job.id == job_id).values(values))


def test_a_job_is_handed_out_once_with_what_was_asked(queue: JobQueue) -> None:
    """A claimed job carries its payload and is nobody else's."""
    job_id = queue.add(NewJob("work", {"region": "Burgos", "names": ["é", 1]})).job_id
    job = take(queue)
    assert (job.id, job.attempt, job.payload) == (job_id, 1, {"region": "Burgos", "names": ["é", 1]})
    assert queue.claim(("default",), "other", ANY) is None
    found = row(queue, job_id)
    assert found.state == "running"
    assert found.worker == "w"
    assert found.lease_until is not None
    assert found.heartbeat_at is not None
    assert found.lease_until - found.heartbeat_at == pytest.approx(
        timedelta(seconds=queue.settings.lease_seconds), abs=timedelta(seconds=0.5)
    )


def test_higher_priority_goes_first_then_the_older(queue: JobQueue) -> None:
    """Order of work: priority, then age."""
    first, second = add(queue), add(queue)
    urgent = add(queue, priority=5)
    late = add(queue, priority=-1)
    # SQLite's clock has milliseconds; equal ages have no order.
    change(queue, first, created_at=DatabaseTime(-10))
    assert [take(queue).id for _ in range(4)] == [urgent, first, second, late]


def test_a_job_is_not_started_before_its_time(queue: JobQueue) -> None:
    """A due time in the future waits, one in the past does not."""
    now = datetime.now(UTC)
    later = add(queue, due=now + HOUR)
    past = add(queue, due=now - HOUR)
    assert take(queue).id == past
    assert queue.claim(("default",), "w", ANY) is None
    assert queue.claim_one(later, "w", ANY) is None


def test_only_known_kinds_are_taken(queue: JobQueue) -> None:
    """A worker leaves alone what it has no handler for."""
    other = add(queue, kind="other")
    assert queue.claim(("default",), "w", ANY) is None
    assert queue.claim_one(other, "w", ANY) is None
    assert queue.claim(("default",), "w", ("other", "work")) is not None


def test_a_named_claim_is_compare_and_set(queue: JobQueue) -> None:
    """A wake-up that comes twice takes the job once; one for a job that is gone takes nothing."""
    job_id = add(queue)
    assert queue.claim_one(job_id, "a", ANY) is not None
    assert queue.claim_one(job_id, "b", ANY) is None
    assert queue.claim_one(uuid.uuid4(), "b", ANY) is None


def test_default_workers_serve_regions_without_a_worker(queue: JobQueue, database: Database) -> None:
    """A region's work waits for the worker that stands there, and for the default one only without."""
    lane = region_lane("Burgos")
    job_id = add(queue, lane=lane)
    with database.write() as session:
        announce(session, "there", [lane])
        assert route(session, lane) == lane
    assert queue.claim(("default",), "w", ANY) is None
    with database.write() as session:
        withdraw(session, "there")
        assert route(session, lane) == "default"
    assert take(queue).id == job_id


def test_a_region_worker_takes_its_own_region_only(queue: JobQueue) -> None:
    """A worker that stands in a region takes neither default work nor another region's."""
    add(queue)
    add(queue, lane=region_lane("Leon"))
    mine = add(queue, lane=region_lane("Burgos"))
    assert take(queue, region_lane("Burgos")).id == mine
    assert queue.claim((region_lane("Burgos"),), "w", ANY) is None


@pytest.mark.parametrize("age_seconds", [2 * PRESENCE_SECONDS, -3600.0], ids=["silent", "clock-set-back"])
def test_a_silent_worker_serves_nothing(queue: JobQueue, database: Database, age_seconds: float) -> None:
    """A sign of life far from now, on either side, does not keep a region waiting."""
    lane = region_lane("Burgos")
    add(queue, lane=lane)
    with database.write() as session:
        announce(session, "there", [lane])
        session.execute(update(WorkerLane).values(seen_at=DatabaseTime(-age_seconds)))
    take(queue)
    with database.write() as session:
        forget_silent(session)
        assert session.scalars(select(WorkerLane.worker)).all() == []


def test_max_children_bounds_regions_and_nothing_else(database: Database) -> None:
    """Only so many regions run at once; a place that becomes free is used."""
    queue = JobQueue(database, replace(JobSettings(), max_children=2))
    for name in ("a", "b", "c"):
        add(queue, lane=region_lane(name))
    held = [take(queue), take(queue)]
    assert queue.claim(("default",), "w", ANY) is None
    waiting = next(j for j in _queued(queue) if j not in {h.id for h in held})
    assert queue.claim_one(waiting, "w", ANY) is None
    add(queue)
    assert take(queue).lane == "default"
    Leases(queue).finish(held[0])
    assert take(queue).id == waiting


def test_one_dedupe_key_means_one_active_job(queue: JobQueue, leases: Leases) -> None:
    """The same work asked for again is the same job, until that one has ended."""
    first = queue.add(NewJob("work", {}, dedupe_key="region:Burgos"))
    again = queue.add(NewJob("work", {}, lane="region.x", dedupe_key="region:Burgos"))
    assert (again.job_id, again.lane, again.created) == (first.job_id, "default", False)
    job = take(queue)
    assert not queue.add(NewJob("work", {}, dedupe_key="region:Burgos")).created
    leases.finish(job)
    renewed = queue.add(NewJob("work", {}, dedupe_key="region:Burgos"))
    assert renewed.created
    assert renewed.job_id != first.job_id


def test_a_job_is_added_with_the_callers_transaction_or_not_at_all(queue: JobQueue) -> None:
    """What was rolled back leaves no job behind."""

    def add_and_fail() -> None:
        with queue.database.write() as session:
            queue.enqueue(session, NewJob("work", {}))
            raise ConnectionError

    with pytest.raises(ConnectionError):
        add_and_fail()
    assert queue.depth() == {}


def test_finish_ends_a_job(queue: JobQueue, leases: Leases) -> None:
    """A finished job has its end noted and is not handed out again."""
    job_id = add(queue)
    leases.finish(take(queue))
    found = row(queue, job_id)
    assert (found.state, found.lease_until) == ("done", None)
    assert found.finished_at is not None
    assert queue.claim(("default",), "w", ANY) is None


def test_an_end_whose_answer_was_lost_may_be_written_again(queue: JobQueue, leases: Leases) -> None:
    """The connection broke after the commit: trying again is no error."""
    add(queue)
    job = take(queue)
    leases.finish(job)
    leases.finish(job)
    with pytest.raises(LeaseLostError):
        leases.cancel(job)


def test_a_passing_failure_waits_longer_each_time_and_is_final_at_last(
    queue: JobQueue, leases: Leases
) -> None:
    """Retries: later and later, then failed with the last reason."""
    job_id = add(queue, max_attempts=2)
    assert leases.fail(take(queue), "no answer", retry=True) is JobState.QUEUED
    found = row(queue, job_id)
    assert found.error == "no answer"
    assert found.due_at is not None
    assert found.woken_at is None
    assert queue.claim(("default",), "w", ANY) is None
    change(queue, job_id, due_at=None)
    assert leases.fail(take(queue), "x" * 5000, retry=True) is JobState.FAILED
    found = row(queue, job_id)
    assert found.state == "failed"
    assert len(found.error or "") == 2000


def test_a_lasting_failure_is_final_at_once(queue: JobQueue, leases: Leases) -> None:
    """An error that will not pass costs one attempt."""
    job_id = add(queue)
    assert leases.fail(take(queue), "refused", retry=False) is JobState.FAILED
    assert (row(queue, job_id).state, row(queue, job_id).attempt) == ("failed", 1)


def test_a_released_job_loses_no_attempt(queue: JobQueue, leases: Leases) -> None:
    """A worker that is stopped gives its job back at no cost, and its number does not return."""
    job_id = add(queue, max_attempts=1)
    first = take(queue)
    leases.release(first)
    second = take(queue)
    assert (second.id, second.attempt, second.max_attempts) == (job_id, 2, 2)
    with pytest.raises(LeaseLostError):
        leases.release(first)


def test_a_waiting_job_is_called_off_at_once(queue: JobQueue) -> None:
    """Cancel before the start: it never starts."""
    job_id = add(queue)
    assert _cancel(queue, job_id) is JobState.CANCELLED
    assert queue.claim(("default",), "w", ANY) is None
    assert row(queue, job_id).finished_at is not None


def test_a_running_job_learns_that_it_was_called_off(queue: JobQueue, leases: Leases) -> None:
    """Cancel while it runs: the worker sees it, also when it renews, and writes the end."""
    job_id = add(queue)
    job = take(queue)
    assert not leases.is_called_off(job)
    assert _cancel(queue, job_id) is JobState.RUNNING
    assert leases.is_called_off(job)
    assert leases.renew(job)
    leases.cancel(job)
    assert row(queue, job_id).state == "cancelled"


@pytest.mark.parametrize("end", ["fail", "lost"])
def test_what_was_called_off_is_not_tried_again(queue: JobQueue, leases: Leases, end: str) -> None:
    """A called-off job that fails or is lost is cancelled instead of queued."""
    job_id = add(queue)
    job = take(queue)
    _cancel(queue, job_id)
    if end == "fail":
        assert leases.fail(job, "no answer", retry=True) is JobState.CANCELLED
    else:
        assert leases.take_back(leases.running()[0]) is JobState.CANCELLED


def test_cancel_of_an_ended_or_unknown_job_changes_nothing(queue: JobQueue, leases: Leases) -> None:
    """What has ended stays as it is."""
    job_id = add(queue)
    leases.finish(take(queue))
    assert _cancel(queue, job_id) is JobState.DONE
    assert _cancel(queue, uuid.uuid4()) is None


def test_a_lost_job_is_taken_back_and_its_old_worker_shut_out(queue: JobQueue, leases: Leases) -> None:
    """After the reaper every write of the old attempt is refused, whether or not a new one runs."""
    job_id = add(queue)
    old = take(queue)
    (lease,) = leases.running()
    assert leases.take_back(lease) is JobState.QUEUED
    assert leases.take_back(lease) is None
    _assert_shut_out(leases, old)
    new = take(queue)
    _assert_shut_out(leases, old)
    leases.finish(new)
    _assert_shut_out(leases, old)
    assert (row(queue, job_id).state, row(queue, job_id).attempt) == ("done", 2)


def test_a_lease_that_moved_is_not_taken_back(queue: JobQueue, leases: Leases) -> None:
    """The worker renewed between the look and the grip: it keeps its job."""
    add(queue)
    job = take(queue)
    (lease,) = leases.running()
    change(queue, job.id, heartbeat_at=DatabaseTime(1))
    assert leases.take_back(lease) is None
    leases.finish(job)


def test_a_job_whose_workers_always_vanish_fails_as_lost(queue: JobQueue, leases: Leases) -> None:
    """Lost in its last attempt: failed, and the reason begins with lost."""
    job_id = add(queue, max_attempts=1)
    take(queue)
    assert leases.take_back(leases.running()[0]) is JobState.FAILED
    assert (row(queue, job_id).error or "").startswith("lost")


def test_expiry_is_told_by_the_databases_clock(queue: JobQueue, leases: Leases) -> None:
    """A lease is over when the database says so."""
    add(queue)
    job = take(queue)
    assert [lease.expired for lease in leases.running()] == [False]
    change(queue, job.id, lease_until=DatabaseTime(-1))
    assert leases.running() == [Lease(job.id, 1, row(queue, job.id).heartbeat_at, expired=True)]
    assert not leases.renew(job)
    assert [lease.expired for lease in leases.running()] == [False]


def test_a_guarded_write_is_undone_when_the_job_was_taken(queue: JobQueue, leases: Leases) -> None:
    """The fence: an overtaken worker's transaction writes nothing."""
    add(queue)
    job = take(queue)
    with queue.database.write() as session:
        guard(session, job)
        session.execute(update(Job).values(priority=1))
    leases.take_back(leases.running()[0])

    def write_late() -> None:
        with queue.database.write() as session:
            session.execute(update(Job).values(priority=2))
            guard(session, job)

    with pytest.raises(LeaseLostError):
        write_late()
    assert row(queue, job.id).priority == 1


def test_jobs_nobody_was_told_of_are_woken(database: Database) -> None:
    """Reminders: what was just announced waits, what is due or has waited too long does not."""
    queue = JobQueue(database, replace(JobSettings(), rewake_seconds=20.0))
    with database.write() as session:
        announce(session, "idle", ["default"])
    add(queue)
    lanes = {name: region_lane(name) for name in ("stale", "returned", "ahead", "due", "later")}
    stale, returned, ahead = (add(queue, lane=lanes[name]) for name in ("stale", "returned", "ahead"))
    due = add(queue, lane=lanes["due"], due=datetime.now(UTC) - HOUR)
    add(queue, lane=lanes["later"], due=datetime.now(UTC) + HOUR)
    change(queue, stale, woken_at=DatabaseTime(-21))
    change(queue, returned, woken_at=None)
    change(queue, ahead, woken_at=DatabaseTime(3600))
    woken = queue.wake_due()
    assert set(woken) == {
        (stale, lanes["stale"]),
        (returned, lanes["returned"]),
        (ahead, lanes["ahead"]),
        (due, lanes["due"]),
    }
    assert queue.wake_due() == []


def test_the_first_reminder_comes_soon(database: Database) -> None:
    """A message may lie with a busy worker: the first reminder does not wait as long as later ones."""
    queue = JobQueue(database, replace(JobSettings(), rewake_seconds=20.0))
    with database.write() as session:
        announce(session, "idle", ["default"])
    job_id = add(queue)
    woken_at = row(queue, job_id).woken_at
    assert woken_at is not None
    change(queue, job_id, woken_at=woken_at - timedelta(seconds=FIRST_REMINDER_SECONDS))
    assert [job for job, _ in queue.wake_due()] == [job_id]
    assert queue.wake_due() == []


def test_a_long_queue_is_not_reminded_job_by_job(database: Database) -> None:
    """A few reminders for each lane are enough, and a long lane does not delay a short one."""
    queue = JobQueue(database, JobSettings())
    with database.write() as session:
        announce(session, "idle", ["default"])
    for lane in ["default"] * 20 + ["region.Burgos"]:
        change(queue, add(queue, lane=lane), woken_at=None)
    assert sorted(lane for _, lane in queue.wake_due()) == ["default", "default", "region.Burgos"]
    assert [lane for _, lane in queue.wake_due()] == ["default", "default"]


def test_busy_workers_are_not_reminded(database: Database) -> None:
    """While every worker holds a job there is nobody to wake; they look for themselves afterwards."""
    queue = JobQueue(database, JobSettings())
    with database.write() as session:
        announce(session, "w", ["default"])
    add(queue)
    take(queue)
    change(queue, add(queue), woken_at=None)
    assert queue.wake_due() == []
    with database.write() as session:
        announce(session, "idle", ["default"])
    assert len(queue.wake_due()) == 1


def test_old_jobs_are_cleared_away(database: Database) -> None:
    """Retention: ended jobs go after their time, others stay however old."""
    queue = JobQueue(database, replace(JobSettings(), retention_days=1.0))
    leases = Leases(queue)
    add(queue)
    old = take(queue).id
    leases.cancel(ClaimedJob(old, "work", "default", {}, 1, 5))
    change(queue, old, finished_at=DatabaseTime(-2 * 86400))
    add(queue)
    fresh = take(queue)
    leases.finish(fresh)
    waiting = add(queue)
    change(queue, waiting, created_at=DatabaseTime(-9 * 86400))
    assert JobQueue(database, replace(JobSettings(), retention_days=0.0)).purge() == 0
    assert queue.purge() == 1
    with database.read() as session:
        assert set(session.scalars(select(Job.id))) == {fresh.id, waiting}


def test_the_depth_counts_by_lane_and_state(queue: JobQueue) -> None:
    """What metrics show: waiting and running jobs of each lane."""
    add(queue)
    add(queue)
    add(queue, lane="region.Burgos")
    take(queue)
    assert queue.depth() == {
        ("default", JobState.QUEUED): 1,
        ("default", JobState.RUNNING): 1,
        ("region.Burgos", JobState.QUEUED): 1,
    }


ENDS: dict[str, tuple[Callable[[JobQueue, Leases, ClaimedJob], object], JobState]] = {
    "done": (lambda _queue, leases, job: leases.finish(job), JobState.DONE),
    "failed": (lambda _queue, leases, job: leases.fail(job, "refused", retry=False), JobState.FAILED),
    "exhausted": (lambda _queue, leases, job: leases.fail(job, "away", retry=True), JobState.FAILED),
    "cancelled": (lambda _queue, leases, job: leases.cancel(job), JobState.CANCELLED),
    "lost": (lambda _queue, leases, _job: leases.take_back(leases.running()[0]), JobState.FAILED),
}


@pytest.mark.parametrize("end", ENDS)
def test_whoever_owns_the_kind_learns_every_end_in_the_same_transaction(database: Database, end: str) -> None:
    """However a job ends, its owner is told once, and can undo the end by failing."""
    told: list[SettledJob] = []
    refuse = True

    def settled(session: Session, job: SettledJob) -> None:
        if refuse:
            raise ConnectionError("the owner cannot write")
        told.append(job)

    queue = JobQueue(database, JobSettings(), {"work": settled})
    leases = Leases(queue)
    act, state = ENDS[end]
    job_id = add(queue, max_attempts=1)
    job = take(queue)
    with pytest.raises(ConnectionError):
        act(queue, leases, job)
    assert row(queue, job_id).state == "running"
    refuse = False
    act(queue, leases, job)
    assert [(job.id, job.state) for job in told] == [(job_id, state)]
    assert row(queue, job_id).state == state.value


def test_a_job_that_comes_back_has_not_ended(database: Database) -> None:
    """Nobody is told of an end that is none."""
    told: list[SettledJob] = []
    queue = JobQueue(database, JobSettings(), {"work": lambda _session, job: told.append(job)})
    leases = Leases(queue)
    job_id = add(queue)
    leases.release(take(queue))
    leases.fail(take(queue), "away", retry=True)
    change(queue, job_id, due_at=None)
    take(queue)
    leases.take_back(leases.running()[0])
    assert told == []
    _cancel(queue, job_id)
    assert [job.state for job in told] == [JobState.CANCELLED]


def _cancel(queue: JobQueue, job_id: uuid.UUID) -> JobState | None:
    with queue.database.write() as session:
        return queue.request_cancel(session, job_id)


def _queued(queue: JobQueue) -> list[uuid.UUID]:
    with queue.database.read() as session:
        return list(session.scalars(select(Job.id).where(Job.state == "queued")))


def _assert_shut_out(leases: Leases, job: ClaimedJob) -> None:
    for act in (
        leases.renew,
        leases.is_called_off,
        leases.finish,
        leases.cancel,
        leases.release,
        lambda held: leases.fail(held, "late", retry=True),
        lambda held: leases.fail(held, "late", retry=False),
    ):
        with pytest.raises(LeaseLostError):
            act(job)
