"""A worker program for tests: ``python -m tests.functional.jobs.program SETTINGS.json [beat]``.

Its handlers leave traces: every start is a line in the file ``starts`` of the state folder, every
effect a row of the table ``effects``, written in the transaction that ends its job, or under its fence.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db import Database
from app.errors import UnreachableError
from app.jobs.dispatch import Dispatcher, make_dispatcher, submit
from app.jobs.handlers import JobContext, Registry
from app.jobs.models import JobState, NewJob, SettledJob
from app.jobs.queue import JobQueue
from app.jobs.worker import run_beat, run_worker
from app.settings import DispatcherKind, JobSettings, Schedule, ServiceSettings, StoreSettings
from tests.servers import wait_until

EFFECTS = "CREATE TABLE IF NOT EXISTS effects (job_id VARCHAR(36), pid INTEGER)"
QUICK = JobSettings(
    workers=2, lease_seconds=2.0, heartbeat_seconds=0.5, rewake_seconds=1.0, stop_grace_seconds=0.5
)


class Handlers:
    """What the test's jobs do; the kind of a job is the name of a method."""

    def __init__(self, state_dir: Path) -> None:
        self._starts = state_dir / "starts"

    def note_start(self, context: JobContext) -> None:
        """Leave the trace of a start."""
        with self._starts.open("a") as file:
            file.write(f"{context.job.id} {context.job.attempt} {os.getpid()}\n")

    def trivial(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """All it does is in its end."""

    def steps(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Work in steps until a file appears, or for so many seconds."""
        self.note_start(context)
        until = time.monotonic() + payload.get("seconds", 60.0)
        while time.monotonic() < until and not Path(payload.get("until", "/nonexistent")).exists():
            context.check()
            time.sleep(0.02)

    def unchecked(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Work without ever asking; only the fence can stop it."""
        self.note_start(context)
        while not Path(payload["until"]).exists():
            time.sleep(0.02)
        with context.transaction() as session:
            effect(session, context.job.id)

    def bug(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Fail as nobody foresaw."""
        self.note_start(context)
        raise TypeError("password=hunter2")

    def flaky(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Fail once as networks do."""
        self.note_start(context)
        if context.job.attempt == 1:
            raise UnreachableError("the region does not answer")


def effect(session: Session, job_id: uuid.UUID) -> None:
    """Leave the trace of an effect."""
    row = {"job_id": str(job_id), "pid": os.getpid()}
    session.execute(text("INSERT INTO effects VALUES (:job_id, :pid)"), row)


def when_done(session: Session, job: SettledJob) -> None:
    """The effect of most kinds comes with their end."""
    if job.state is JobState.DONE:
        effect(session, job.id)


def wiring(settings: ServiceSettings, _database: Database) -> Registry:
    """All handlers."""
    handlers = Handlers(settings.service.state_dir)
    registry = Registry()
    for handler in (handlers.trivial, handlers.steps, handlers.bug, handlers.flaky):
        registry.register(handler.__name__, handler, settled=when_done)
    registry.register("unchecked", handlers.unchecked)
    return registry


def to_json(settings: ServiceSettings) -> str:
    """What ``from_json`` reads."""
    jobs = {name: getattr(settings.jobs, name) for name in JobSettings.__slots__ if name != "schedules"}
    schedules = [
        {name: getattr(schedule, name) for name in Schedule.__slots__} for schedule in settings.jobs.schedules
    ]
    service = {"state_dir": str(settings.service.state_dir), "database_url": settings.database_url}
    return json.dumps({"service": service, "jobs": jobs, "schedules": schedules})


def from_json(document: str) -> ServiceSettings:
    """Settings as a test wrote them."""
    values = json.loads(document)
    jobs = values["jobs"] | {"lanes": tuple(values["jobs"]["lanes"])}
    jobs |= {"dispatcher": DispatcherKind(jobs["dispatcher"])}
    jobs |= {"schedules": tuple(Schedule(**schedule) for schedule in values["schedules"])}
    service = StoreSettings(Path(values["service"]["state_dir"]), values["service"]["database_url"])
    return ServiceSettings(service=service, jobs=JobSettings(**jobs))


@dataclass
class Bench:
    """A job table with the means to start workers on it and to see what they did."""

    settings: ServiceSettings
    database: Database
    queue: JobQueue
    dispatcher: Dispatcher
    programs: list[subprocess.Popen[bytes]]

    def start(self, *words: str, **jobs: Any) -> subprocess.Popen[bytes]:
        """Start a supervisor with its workers, with some settings changed; wait until it announces itself."""
        settings = replace(self.settings, jobs=replace(self.settings.jobs, **jobs))
        path = self.settings.service.state_dir / f"settings{len(self.programs)}.json"
        path.write_text(to_json(settings))
        before = self.workers()
        with (self.settings.service.state_dir / "output.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.functional.jobs.program", str(path), *words],
                cwd=Path(__file__).resolve().parents[3],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.programs.append(process)
        if "beat" not in words:
            wait_until(
                lambda: process.poll() is not None or len(self.workers() - before) >= settings.jobs.workers,
                30,
                "the start of the workers",
            )
            assert process.poll() is None, (self.settings.service.state_dir / "output.log").read_text()
        return process

    def submit(self, kind: str, lane: str = "default", dedupe_key: str | None = None, **payload: Any) -> str:
        """Add a job; returns its id."""
        job = NewJob(kind, payload, lane=lane, dedupe_key=dedupe_key)
        return str(submit(self.queue, self.dispatcher, job).job_id)

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        """What a query answers."""
        with self.database.read() as session:
            return list(session.execute(text(query), parameters).all())

    def workers(self) -> set[str]:
        """The names of workers that have announced themselves."""
        return {row[0] for row in self.rows("SELECT DISTINCT worker FROM worker_lanes")}

    def effects(self) -> list[str]:
        """The jobs whose effect has been written, one entry per effect."""
        return [row[0] for row in self.rows("SELECT job_id FROM effects")]

    def job(self, job_id: str) -> dict[str, Any]:
        """A job's row."""
        found = self.rows("SELECT * FROM jobs WHERE id = :id", id=self.database_id(job_id))
        return dict(found[0]._mapping)

    def database_id(self, job_id: str) -> str:
        """The id as the table holds it."""
        return job_id.replace("-", "") if self.database.is_sqlite else job_id

    def state(self, job_id: str) -> str:
        """Where a job stands."""
        return str(self.job(job_id)["state"])

    def starts(self, job_id: str) -> list[tuple[int, int]]:
        """The starts of a job so far: (attempt, process id)."""
        path = self.settings.service.state_dir / "starts"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(a), int(pid)) for job, a, pid in map(str.split, lines) if job == job_id]

    def wait_state(self, job_id: str, state: str, seconds: float = 30.0) -> None:
        """Wait until a job stands there."""
        wait_until(lambda: self.state(job_id) == state, seconds, f"job {job_id}: {state}")

    def wait_starts(self, job_id: str, number: int, seconds: float = 30.0) -> int:
        """Wait until a job has been started so often; returns the latest process id."""
        wait_until(lambda: len(self.starts(job_id)) >= number, seconds, f"start {number} of {job_id}")
        return self.starts(job_id)[number - 1][1]

    def wait_empty(self, seconds: float = 60.0) -> None:
        """Wait until no job waits or runs."""
        wait_until(lambda: not self.queue.depth(), seconds, "the end of all jobs", every_seconds=0.1)

    def stop(self) -> None:
        """End all that was started, in good order and then for certain."""
        for process in self.programs:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        for process in self.programs:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for process in self.programs:
            try:
                # Workers whose supervisor was killed belong to its process group still.
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.database.dispose()


@contextmanager
def bench(
    state_dir: Path, database_url: str, change: Callable[[JobSettings], JobSettings] = lambda jobs: jobs
) -> Iterator[Bench]:
    """A job table for one test."""
    settings = ServiceSettings(service=StoreSettings(state_dir, database_url), jobs=change(QUICK))
    database = Database(database_url)
    with database.write() as session:
        session.execute(text(EFFECTS))
    queue = JobQueue(database, settings.jobs)
    made = Bench(settings, database, queue, make_dispatcher(settings, database), [])
    try:
        yield made
    finally:
        made.stop()


def main() -> None:
    """Run a worker, or a beat."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(message)s")
    path = Path(sys.argv[1])
    settings = from_json(path.read_text())
    if "beat" in sys.argv:
        run_beat(settings, wiring)
    else:
        run_worker(settings, wiring, reload=lambda: from_json(path.read_text()))


if __name__ == "__main__":
    main()
