"""Embedded workers: nothing is lost and nothing done twice, whichever process dies when."""

from __future__ import annotations

import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.functional.jobs.program import Bench, bench
from tests.servers import PostgresServer, wait_until

JOBS = 1000


def test_a_thousand_jobs_are_each_done_once(workshop: Bench) -> None:
    """1,000 trivial jobs: none lost, none twice."""
    workshop.start()
    jobs = {workshop.submit("trivial") for _ in range(JOBS)}
    workshop.wait_empty()
    effects = workshop.effects()
    assert len(effects) == JOBS
    assert set(effects) == jobs


def test_a_killed_worker_is_replaced_and_its_job_taken_up(workshop: Bench, tmp_path: Path) -> None:
    """Kill -9 of a worker in the middle: another takes the job up when the lease is over."""
    workshop.start()
    job = workshop.submit("steps", until=str(tmp_path / "go"))
    victim = workshop.wait_starts(job, 1)
    before = workshop.workers()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: bool(workshop.workers() - before), 20, "a new worker")
    assert workshop.wait_starts(job, 2) != victim
    (tmp_path / "go").touch()
    workshop.wait_state(job, "done")
    assert workshop.effects() == [job]
    assert workshop.job(job)["attempt"] == 2


def test_all_processes_killed_and_started_again(workshop: Bench, tmp_path: Path) -> None:
    """Kill -9 of everything under load: after a new start every job ends, each effect once."""
    supervisor = workshop.start()
    held = workshop.submit("steps", until=str(tmp_path / "go"))
    workshop.wait_starts(held, 1)
    jobs = {workshop.submit("trivial") for _ in range(200)} | {held}
    os.killpg(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    (tmp_path / "go").touch()
    workshop.start()
    workshop.wait_empty()
    assert sorted(workshop.effects()) == sorted(jobs)


def test_workers_of_a_killed_supervisor_end_by_themselves(small_workshop: Bench) -> None:
    """Kill -9 of the supervisor alone: its workers give their jobs back and end."""
    supervisor = small_workshop.start()
    job = small_workshop.submit("steps", seconds=60)
    worker = small_workshop.wait_starts(job, 1)
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not _alive(worker), 20, "the end of the orphan")
    assert small_workshop.state(job) == "queued"
    assert small_workshop.workers() == set()


def test_a_stopped_supervisor_gives_its_jobs_back(small_workshop: Bench, tmp_path: Path) -> None:
    """SIGTERM: a running job has its grace, is then handed back, and loses no attempt by it."""
    supervisor = small_workshop.start()
    job = small_workshop.submit("steps", until=str(tmp_path / "go"))
    small_workshop.wait_starts(job, 1)
    bound = small_workshop.job(job)["max_attempts"]
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    row = small_workshop.job(job)
    assert (row["state"], row["max_attempts"] - row["attempt"]) == ("queued", bound)
    (tmp_path / "go").touch()
    small_workshop.start()
    small_workshop.wait_state(job, "done")
    assert small_workshop.effects() == [job]


def test_a_job_that_is_nearly_done_may_end_before_the_stop(small_workshop: Bench) -> None:
    """SIGTERM: a job that ends within the grace is done, not handed back."""
    supervisor = small_workshop.start(stop_grace_seconds=20.0)
    job = small_workshop.submit("steps", seconds=1.0)
    small_workshop.wait_starts(job, 1)
    supervisor.terminate()
    assert supervisor.wait(30) == 0
    assert small_workshop.state(job) == "done"


def test_reload_replaces_the_workers(small_workshop: Bench) -> None:
    """SIGHUP: new processes come, the old ones end, work goes on."""
    supervisor = small_workshop.start()
    before = small_workshop.workers()
    supervisor.send_signal(signal.SIGHUP)
    wait_until(
        lambda: len(small_workshop.workers()) == 2 and not small_workshop.workers() & before,
        20,
        "the change of workers",
    )
    job = small_workshop.submit("trivial")
    small_workshop.wait_state(job, "done")


def test_a_paused_worker_that_comes_back_changes_nothing(workshop: Bench, tmp_path: Path) -> None:
    """SIGSTOP until the lease is over, then SIGCONT: the overtaken worker's effect is refused."""
    workshop.start()
    job = workshop.submit("unchecked", until=str(tmp_path / "go"))
    paused = workshop.wait_starts(job, 1)
    os.kill(paused, signal.SIGSTOP)
    try:
        second = workshop.wait_starts(job, 2)
        (tmp_path / "go").touch()
        workshop.wait_state(job, "done")
    finally:
        os.kill(paused, signal.SIGCONT)
    # The paused one has had its try when it takes part again, or has been replaced.
    follow_up = [workshop.submit("trivial") for _ in range(20)]
    workshop.wait_empty()
    wait_until(lambda: f"{paused} app.jobs.execute" in _log(workshop), 20, "the refusal")
    effects = workshop.rows("SELECT pid FROM effects WHERE job_id = :job", job=job)
    assert [row[0] for row in effects] == [second]
    assert len(workshop.effects()) == 1 + len(follow_up)


def test_cancel_stops_a_running_job_at_its_next_check(small_workshop: Bench) -> None:
    """A running job that is called off ends soon, without effect."""
    small_workshop.start()
    job = small_workshop.submit("steps", seconds=60)
    small_workshop.wait_starts(job, 1)
    with small_workshop.database.write() as session:
        small_workshop.queue.request_cancel(session, _uuid(job))
    small_workshop.wait_state(job, "cancelled", 10)
    assert small_workshop.effects() == []


def test_a_failure_that_may_pass_is_tried_again(small_workshop: Bench) -> None:
    """A retryable error brings the job back by itself; the cause stays readable until then."""
    small_workshop.start()
    job = small_workshop.submit("flaky")
    small_workshop.wait_starts(job, 1)
    wait_until(lambda: "does not answer" in (small_workshop.job(job)["error"] or ""), 20, "the written cause")
    small_workshop.wait_state(job, "done")
    assert [attempt for attempt, _ in small_workshop.starts(job)] == [1, 2]


def test_an_unforeseen_error_ends_the_process_and_not_the_service(small_workshop: Bench) -> None:
    """A bug in a handler: the job fails with a reason that holds no secret; others go on."""
    small_workshop.start()
    job = small_workshop.submit("bug")
    small_workshop.wait_state(job, "failed")
    error = small_workshop.job(job)["error"]
    assert "TypeError" in error
    assert "hunter2" not in error
    after = small_workshop.submit("trivial")
    small_workshop.wait_state(after, "done")
    assert len(small_workshop.starts(job)) == 1


@pytest.mark.parametrize("hours", [1, -1], ids=["forward", "back"])
def test_a_clock_that_jumps_breaks_no_lease(workshop: Bench, tmp_path: Path, hours: int) -> None:
    """The clock jumps by an hour: a living worker keeps its job, a dead one's is taken up."""
    workshop.start()
    alive = workshop.submit("steps", until=str(tmp_path / "go"))
    dead = workshop.submit("steps", until=str(tmp_path / "go"))
    workshop.wait_starts(alive, 1)
    os.kill(workshop.wait_starts(dead, 1), signal.SIGKILL)
    _shift_clock(workshop, timedelta(hours=hours))
    workshop.wait_starts(dead, 2)
    (tmp_path / "go").touch()
    workshop.wait_empty()
    assert sorted(workshop.effects()) == sorted([alive, dead])
    assert len(workshop.starts(alive)) == 1


def test_regions_run_only_so_many_at_once(workshop: Bench, tmp_path: Path) -> None:
    """max_children bounds the regions that are worked on at the same time, not other work."""
    jobs = [workshop.submit("steps", lane=f"region.r{n}", until=str(tmp_path / "go")) for n in range(3)]
    workshop.start(workers=3, max_children=2)
    wait_until(lambda: sum(len(workshop.starts(job)) for job in jobs) == 2, 20, "two regions at work")
    other = workshop.submit("trivial")
    workshop.wait_state(other, "done")
    assert sum(len(workshop.starts(job)) for job in jobs) == 2
    (tmp_path / "go").touch()
    workshop.wait_empty()
    assert sorted(workshop.effects()) == sorted([*jobs, other])


def test_a_region_is_served_where_a_worker_stands(small_workshop: Bench) -> None:
    """A worker that stands in a region does its work; without one, the default worker does."""
    small_workshop.start(workers=1, lanes=("default",))
    region = small_workshop.start(workers=1, lanes=("region.Burgos",))
    there = set(_children(region.pid))
    job = small_workshop.submit("steps", lane="region.Burgos", seconds=0.1)
    assert small_workshop.wait_starts(job, 1) in there
    region.terminate()
    region.wait(20)
    job = small_workshop.submit("steps", lane="region.Burgos", seconds=0.1)
    assert small_workshop.wait_starts(job, 1) not in there


def test_postgresql_restarts_under_load(
    tmp_path: Path, postgres_server: PostgresServer, migrated_template: str
) -> None:
    """PostgreSQL is restarted while jobs are added and done: each effect comes once, nothing is stuck."""
    url = postgres_server.create(migrated_template)
    added: list[str] = []

    def add(workshop: Bench) -> None:
        while len(added) < 300:
            try:
                added.append(workshop.submit("trivial"))
            except OperationalError:
                time.sleep(0.05)

    with bench(tmp_path, url) as workshop:
        workshop.start()
        adding = threading.Thread(target=add, args=(workshop,))
        adding.start()
        wait_until(lambda: len(added) > 50, 30, "load")
        postgres_server.restart()
        adding.join(60)
        workshop.wait_empty()
        effects = workshop.effects()
    # An insert whose answer was lost may have been committed: more jobs than were counted, never fewer.
    assert set(added) <= set(effects)
    assert len(effects) == len(set(effects))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children()]


def _log(workshop: Bench) -> str:
    return (workshop.settings.service.state_dir / "output.log").read_text()


def _uuid(job: str) -> Any:
    return UUID(job)


def _shift_clock(workshop: Bench, jump: timedelta) -> None:
    """To the table a clock that jumps is the same as rows that were written that much earlier."""
    columns = ("lease_until", "heartbeat_at", "created_at", "woken_at", "started_at")
    with workshop.database.write() as session:
        for row in session.execute(text("SELECT * FROM jobs WHERE state = 'running'")).mappings().all():
            for column in columns:
                value = row[column]
                if value is None:
                    continue
                if isinstance(value, str):
                    moved: Any = (datetime.fromisoformat(value) - jump).strftime("%Y-%m-%d %H:%M:%S.%f")
                else:
                    moved = value.astimezone(UTC) - jump
                session.execute(
                    text(f"UPDATE jobs SET {column} = :moved WHERE id = :id"),
                    {"moved": moved, "id": row["id"]},
                )
