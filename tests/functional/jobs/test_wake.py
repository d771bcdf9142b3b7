"""Wake-up calls, stop flags and the keeper's round."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import select, update

from app.db import Database, DatabaseTime
from app.jobs.dispatch import EmbeddedDispatcher, submit
from app.jobs.keeper import Keeper
from app.jobs.lanes import announce
from app.jobs.lease import Leases
from app.jobs.models import Job, NewJob, ScheduleSlot
from app.jobs.queue import JobQueue
from app.jobs.stop import StopFlag
from app.jobs.wake import WakeCaller, WakeListener, wake_dir
from app.settings import JobSettings, Schedule

LONG_SECONDS = 20.0


def timed(act: object) -> float:
    """How long a call takes, in seconds."""
    begun = time.monotonic()
    act()  # type: ignore[operator]
    return time.monotonic() - begun


@pytest.mark.parametrize("depth", [0, 4], ids=["short-path", "long-path"])
def test_a_call_wakes_a_sleeper_at_once(tmp_path: Path, depth: int) -> None:
    """Whoever adds work wakes a worker, however long the path of the state folder is."""
    state_dir = tmp_path.joinpath(*["d" * 30] * depth)
    listener, caller = WakeListener(state_dir), WakeCaller(state_dir)
    threading.Timer(0.05, caller.call).start()
    assert timed(lambda: listener.wait(LONG_SECONDS, StopFlag())) < LONG_SECONDS / 2
    listener.close()
    assert list(wake_dir(state_dir).iterdir()) == []


def test_a_call_made_before_the_sleep_is_not_lost(tmp_path: Path) -> None:
    """Work that was added between the look and the sleep still wakes."""
    listener = WakeListener(tmp_path)
    WakeCaller(tmp_path).call()
    assert timed(lambda: listener.wait(LONG_SECONDS, StopFlag())) < LONG_SECONDS / 2
    listener.close()


def test_calls_never_fail_and_never_wait(tmp_path: Path) -> None:
    """Without workers, with busy ones, with what a killed supervisor left: a call just returns."""
    caller = WakeCaller(tmp_path)
    caller.call()
    listener = WakeListener(tmp_path)
    for _ in range(2000):
        caller.call()
    left = wake_dir(tmp_path) / "1.sock"
    (wake_dir(tmp_path) / f"{os.getpid()}.sock").rename(left)
    listener._socket.close()
    caller.call()
    assert not left.exists()
    (wake_dir(tmp_path) / "2.sock").write_text("no socket")
    caller.call()


def test_a_stop_wakes_a_sleeper_at_once(tmp_path: Path) -> None:
    """A worker that waits for work ends when it is told to."""
    listener, stop = WakeListener(tmp_path), StopFlag()
    threading.Timer(0.05, stop.set).start()
    assert timed(lambda: listener.wait(LONG_SECONDS, stop)) < LONG_SECONDS / 2
    assert stop.is_set()
    listener.close()


def test_a_signal_sets_the_flag() -> None:
    """SIGUSR1, for one, can be made to stop; the flag can be set any number of times."""
    stop = StopFlag()
    before = signal.getsignal(signal.SIGUSR1)
    try:
        stop.on([signal.SIGUSR1])
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert stop.is_set()
        for _ in range(100_000):
            stop.set()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_process_without_its_supervisor_is_to_stop() -> None:
    """Whoever's parent is another than at the start has lost it."""
    assert not StopFlag(parent=os.getppid()).is_set()
    assert StopFlag(parent=os.getpid()).is_set()


class Recorder:
    """A dispatcher that notes whom it was to wake."""

    needs_reminders: ClassVar[bool] = True

    def __init__(self) -> None:
        self.woken: list[uuid.UUID] = []

    def wake(self, job_id: uuid.UUID, lane: str) -> None:
        self.woken.append(job_id)


def test_a_lost_job_is_back_and_announced_in_one_round(database: Database) -> None:
    """The keeper takes a lost job back when its lease has stood still, and has it woken."""
    queue = JobQueue(database, JobSettings())
    job = queue.add(NewJob("work", {})).job_id
    queue.claim(("default",), "w", ("work",))
    with database.write() as session:
        announce(session, "idle", ["default"])
    recorder = Recorder()
    keeper = Keeper(queue, recorder)
    keeper.tick(0.0)
    keeper.tick(queue.settings.lease_seconds - 1)
    assert recorder.woken == []
    keeper.tick(queue.settings.lease_seconds)
    assert recorder.woken == [job]
    assert queue.claim(("default",), "w2", ("work",)) is not None


def test_an_expired_lease_gets_time_to_be_renewed(database: Database) -> None:
    """The clock jumped past all leases: who renews in time keeps its job."""
    queue = JobQueue(database, JobSettings())
    for _ in range(2):
        queue.add(NewJob("work", {}))
    alive, _dead = (queue.claim(("default",), "w", ("work",)) for _ in range(2))
    assert alive is not None
    with database.write() as session:
        session.execute(update(Job).values(lease_until=DatabaseTime(-3600), heartbeat_at=DatabaseTime(-3630)))
    keeper = Keeper(queue, Recorder())
    keeper.tick(0.0)
    Leases(queue).renew(alive)
    keeper.tick(2 * queue.settings.heartbeat_seconds)
    assert [lease.job_id for lease in Leases(queue).running()] == [alive.id]


def test_schedules_put_their_jobs_into_the_table(database: Database) -> None:
    """A schedule's job is added when its next period begins, and not on top of one that still waits."""
    now_and_then = Schedule("hourly", "work", 3600.0, {"targets": ["master"]}, lane="region.x")
    later = Schedule("late", "work", 3600.0, jitter_seconds=600.0)
    queue = JobQueue(database, replace(JobSettings(), schedules=(now_and_then, later)))
    recorder = Recorder()
    keeper = Keeper(queue, recorder)

    def next_hour() -> None:
        with database.write() as session:
            session.execute(update(ScheduleSlot).values(slot=ScheduleSlot.slot - 1))
        keeper.tick(1.0)

    keeper.tick(0.0)
    assert queue.depth() == {}
    next_hour()
    keeper.tick(2.0)
    with database.read() as session:
        jobs = {job.dedupe_key: job for job in session.scalars(select(Job))}
    assert set(jobs) == {"schedule:hourly", "schedule:late"}
    assert jobs["schedule:hourly"].payload == {"targets": ["master"]}
    assert jobs["schedule:hourly"].lane == "region.x"
    assert jobs["schedule:late"].due_at is not None
    assert jobs["schedule:hourly"].id in recorder.woken
    next_hour()
    assert sum(queue.depth().values()) == 2


def test_who_submits_wakes_only_for_new_work_that_is_due(tmp_path: Path, database: Database) -> None:
    """A known job or one for later wakes nobody; the embedded dispatcher needs no reminders."""
    queue, recorder = JobQueue(database, JobSettings()), Recorder()
    first = submit(queue, recorder, NewJob("work", {}, dedupe_key="k"))
    submit(queue, recorder, NewJob("work", {}, dedupe_key="k"))
    submit(queue, recorder, NewJob("work", {}, due=datetime.now(UTC) + timedelta(hours=1)))
    assert recorder.woken == [first.job_id]
    assert not EmbeddedDispatcher(tmp_path).needs_reminders
