"""Figures of the job table: one JSON line each. ``python -m bench.jobs [--jobs N] [--only NAME]``.

Needs the servers of ``tests/servers.py`` for the figures with RabbitMQ.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from app.db import Database
from app.jobs.dispatch import make_dispatcher, submit
from app.jobs.handlers import JobContext, Registry
from app.jobs.models import NewJob
from app.jobs.queue import JobQueue
from app.jobs.worker import run_worker
from app.schema import upgrade
from app.settings import DispatcherKind, JobSettings, ServiceSettings, StoreSettings

LATENCY_JOBS = 40


def wiring(settings: ServiceSettings, _database: Database) -> Registry:
    """One handler, which notes how long ago the job was asked for."""
    results = settings.service.state_dir / "started"

    def note(context: JobContext, payload: Mapping[str, Any]) -> None:
        late_ms = (time.monotonic_ns() - payload["asked_ns"]) / 1e6
        with results.open("a") as file:
            file.write(f"{context.job.id} {late_ms:.3f}\n")

    registry = Registry()
    registry.register("note", note)
    return registry


class Service:
    """A queue with its workers in processes of their own, as in production."""

    def __init__(self, settings: ServiceSettings, name: str) -> None:
        self.name = name
        self.results = settings.service.state_dir / "started"
        self.results.touch()
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=run_worker, args=(settings, wiring))
        self.process.start()
        self.database = Database(settings.database_url)
        self.queue = JobQueue(self.database, settings.jobs)
        self.dispatcher = make_dispatcher(settings, self.database)
        self.ask()
        self.wait_for(1)

    def ask(self) -> None:
        """Add one trivial job."""
        submit(self.queue, self.dispatcher, NewJob("note", {"asked_ns": time.monotonic_ns()}))

    def started(self) -> list[tuple[str, float]]:
        """What the workers noted: (job, milliseconds from the request to the handler)."""
        lines = self.results.read_text().splitlines()
        return [(line.split()[0], float(line.split()[1])) for line in lines]

    def wait_for(self, number: int, seconds: float = 60.0) -> None:
        """Wait until so many jobs are done in the table."""
        deadline = time.monotonic() + seconds
        while self.results.read_text().count("\n") < number or self.queue.depth():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.started())} of {number} jobs after {seconds} s")
            time.sleep(0.005)

    def processes(self) -> list[psutil.Process]:
        """The supervisor and what it started."""
        if self.process.pid is None:
            return []
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def memory(self) -> None:
        """Resident memory of the largest process, and what all of them cost together."""
        infos = [member.memory_full_info() for member in self.processes()]
        largest = max(info.rss for info in infos) / 2**20
        total = sum(info.pss for info in infos) / 2**20
        report(f"idle_worker_memory_{self.name}", largest, "MiB", largest <= 120, together=round(total, 1))

    def processor_seconds(self) -> float:
        """What the workers have computed so far."""
        times = [member.cpu_times() for member in self.processes()]
        return sum(time.user + time.system for time in times)

    def close(self) -> None:
        """Stop the workers."""
        if self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGTERM)
        self.process.join(60)


@contextmanager
def embedded() -> Iterator[ServiceSettings]:
    """SQLite and the embedded dispatcher: the defaults."""
    with tempfile.TemporaryDirectory() as folder:
        yield ServiceSettings(service=StoreSettings(Path(folder)), jobs=JobSettings(workers=2))


@contextmanager
def celery() -> Iterator[ServiceSettings]:
    """PostgreSQL and Celery on RabbitMQ."""
    # Not above: the workers import this module too, and their memory is measured.
    from tests.servers import PostgresServer, RabbitServer

    postgres, rabbit = PostgresServer(), RabbitServer()
    try:
        postgres.start()
        rabbit.start()
        jobs = JobSettings(dispatcher=DispatcherKind.CELERY, broker_url=rabbit.url, workers=2)
        with tempfile.TemporaryDirectory() as folder:
            yield ServiceSettings(service=StoreSettings(Path(folder), postgres.create()), jobs=jobs)
    finally:
        rabbit.close()
        postgres.close()


def latency(service: Service, name: str, median_ms: float, p95_ms: float | None) -> None:
    """From the request to the first line of the handler, on an idle service."""
    before = len(service.started())
    chance = random.Random(7)
    for _ in range(LATENCY_JOBS):
        time.sleep(chance.uniform(0.05, 0.4))
        service.ask()
    service.wait_for(before + LATENCY_JOBS)
    late = sorted(ms for _, ms in service.started()[before:])
    p95 = late[int(len(late) * 0.95) - 1]
    median = statistics.median(late)
    ok = median <= median_ms and (p95_ms is None or p95 <= p95_ms)
    report(f"start_latency_{name}", median, "ms", ok, p95=round(p95, 2), max=round(late[-1], 2))


def throughput(service: Service, name: str, jobs: int, least: float) -> None:
    """So many trivial jobs, added one by one while the workers are at it."""
    before = len(service.started())
    begun, computed, own = time.monotonic(), service.processor_seconds(), time.process_time()
    for _ in range(jobs):
        service.ask()
    asked = time.monotonic() - begun
    own = time.process_time() - own
    service.wait_for(before + jobs)
    seconds = time.monotonic() - begun
    done = [job for job, _ in service.started()[before:]]
    exact = len(done) == len(set(done)) == jobs
    rate = jobs / seconds
    report(
        f"trivial_jobs_{name}",
        rate,
        "jobs/s",
        rate >= least and exact,
        added_per_s=round(jobs / asked),
        adding_cpu_ms=round(own / jobs * 1000, 2),
        working_cpu_ms=round((service.processor_seconds() - computed) / jobs * 1000, 2),
        lost=jobs - len(set(done)),
        twice=len(done) - len(set(done)),
    )


def report(figure: str, value: float, unit: str, ok: bool, **more: float) -> None:
    """Print one figure."""
    print(
        json.dumps({"figure": figure, "value": round(value, 2), "unit": unit, "ok": ok, **more}), flush=True
    )


def measure(
    name: str, place: Callable[[], Any], jobs: int, wanted: tuple[float, float | None, float]
) -> None:
    """All figures of one dispatcher. ``wanted``: median ms, p95 ms, jobs per second."""
    with place() as settings:
        upgrade(settings.database_url)
        service = Service(settings, name)
        try:
            time.sleep(1.0)
            service.memory()
            latency(service, name, wanted[0], wanted[1])
            throughput(service, name, jobs, wanted[2])
        finally:
            service.close()
            service.database.dispose()


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--only", choices=["embedded_sqlite", "celery_rabbitmq"])
    arguments = parser.parse_args()
    if arguments.only != "celery_rabbitmq":
        measure("embedded_sqlite", embedded, arguments.jobs, (60.0, 100.0, 500.0))
    if arguments.only != "embedded_sqlite":
        measure("celery_rabbitmq", celery, arguments.jobs, (20.0, None, 700.0))


if __name__ == "__main__":
    main()
