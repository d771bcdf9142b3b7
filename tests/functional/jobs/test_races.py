"""Many at once: the table decides, not who is faster."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import pytest
from sqlalchemy import update

from app.db import Database
from app.jobs.lease import Leases
from app.jobs.models import NewJob, ScheduleSlot, region_lane
from app.jobs.queue import JobQueue
from app.jobs.schedule import run_due
from app.settings import JobSettings, Schedule

THREADS = 50


T = TypeVar("T")


def at_once(number: int, act: Callable[[int], T]) -> list[T]:
    """Let so many threads begin at the same moment; what each came to."""
    gate = threading.Barrier(number)

    def one(index: int) -> T:
        gate.wait(30)
        return act(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


def test_fifty_requests_for_the_same_work_make_one_job(queue: JobQueue) -> None:
    """50 at once with one dedupe key: one job, and all are told the same id."""
    added = at_once(THREADS, lambda _: queue.add(NewJob("work", {}, dedupe_key="region:Burgos")))
    assert len({one.job_id for one in added}) == 1
    assert sum(one.created for one in added) == 1


def test_many_workers_never_share_a_job(queue: JobQueue) -> None:
    """200 jobs and 10 greedy workers: each job is handed out once."""
    jobs = {queue.add(NewJob("work", {})).job_id for _ in range(200)}

    def greedy(index: int) -> list[object]:
        taken = []
        while (job := queue.claim(("default",), f"w{index}", ("work",))) is not None:
            taken.append(job.id)
        return taken

    taken = [job for own in at_once(10, greedy) for job in own]
    # PostgreSQL skips rows that another worker is just taking, so one round may leave some over.
    taken += greedy(10)
    assert Counter(taken) == Counter(jobs)


def test_one_wake_up_sent_to_all_starts_one_worker(queue: JobQueue) -> None:
    """The same job claimed by its id by 20 at once: one gets it."""
    job = queue.add(NewJob("work", {})).job_id
    claims = at_once(20, lambda index: queue.claim_one(job, f"w{index}", ("work",)))
    assert sum(claim is not None for claim in claims) == 1


def test_the_bound_on_regions_holds_in_a_rush(database: Database) -> None:
    """10 workers and 10 regions at once: no more than max_children are ever running."""
    queue = JobQueue(database, replace(JobSettings(), max_children=3))
    for number in range(10):
        queue.add(NewJob("work", {}, lane=region_lane(f"r{number}")))
    claims = at_once(10, lambda index: queue.claim(("default",), f"w{index}", ("work",)))
    assert sum(claim is not None for claim in claims) == 3


def test_one_lost_job_is_taken_back_once(queue: JobQueue, leases: Leases) -> None:
    """Several keepers see the same lost job: one takes it back."""
    queue.add(NewJob("work", {}))
    queue.claim(("default",), "w", ("work",))
    (lease,) = leases.running()
    back = at_once(8, lambda _: leases.take_back(lease))
    assert sum(state is not None for state in back) == 1


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
def test_several_beats_start_a_schedule_once(database: Database, known: bool) -> None:
    """8 beats in the same period: one job."""
    schedule = Schedule("nightly", "work", every_seconds=86400.0)
    queue = JobQueue(database, replace(JobSettings(), schedules=(schedule,)))
    if known:
        run_due(queue, (schedule,))
        _make_due(queue)
    at_once(8, lambda _: run_due(queue, (schedule,)))
    assert sum(queue.depth().values()) == (1 if known else 0)


def _make_due(queue: JobQueue) -> None:
    with queue.database.write() as session:
        session.execute(update(ScheduleSlot).values(slot=ScheduleSlot.slot - 1))
