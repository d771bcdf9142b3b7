"""Figures of the running service: one JSON line each. ``python -m bench.service [--only NAME] [...]``.

Real processes (gunicorn, workers), directory stores, and the servers of ``tests/servers.py`` where a figure
names PostgreSQL or RabbitMQ. The client that makes the load runs on the same machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import select
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import text

from app.db import Database
from app.sync import region_state
from app.sync.region_state import KnownItem
from tests.functional.service.place import MASTER, Service, service
from tests.servers import PostgresServer, RabbitServer

IMAGES = 1000
LOAD_SECONDS = 8.0
LOAD_CONNECTIONS = 8
POSTS = 40
STREAMS = 500
MIB = 2**20


def report(figure: str, value: float, unit: str, ok: bool, **more: float) -> None:
    """Print one figure."""
    line = {"figure": figure, "value": round(value, 2), "unit": unit, "ok": ok, **more}
    print(json.dumps(line), flush=True)


@contextmanager
def local(**options: str) -> Iterator[Service]:
    """A service on SQLite with the embedded dispatcher: the defaults."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        defaults = {"SYNCLINE_LEASE_SECONDS": "30", "SYNCLINE_HEARTBEAT_SECONDS": "8"}
        quiet = {"SYNCLINE_LOG_LEVEL": "warning"}
        url = f"sqlite:///{home / 'syncline.db'}"
        with service(home / "place", url, **defaults, **quiet, **options) as made:
            yield made


@contextmanager
def distributed(**options: str) -> Iterator[Service]:
    """A service on PostgreSQL and RabbitMQ."""
    with ExitStack() as stack, tempfile.TemporaryDirectory() as name:
        postgres, rabbit = PostgresServer(), RabbitServer()
        for server in (postgres, rabbit):
            stack.callback(server.close)
            server.start()
        celery = {"SYNCLINE_DISPATCHER": "celery", "SYNCLINE_BROKER_URL": rabbit.url}
        with service(Path(name) / "place", postgres.create(), **celery, **options) as made:
            yield made


def one_answer(connection: socket.socket, request: bytes) -> tuple[int, int]:
    """Send a request over a kept connection; status and length of the answer."""
    connection.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(1 << 18)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    missing = length - len(body)
    while missing > 0:
        missing -= len(connection.recv(min(missing, 1 << 18)))
    return int(head.split(b" ", 2)[1]), length


def load(port: int, path: str, seconds: float, results: multiprocessing.Queue) -> None:
    """Ask as quickly as the answers come, over several connections; the latencies in ms."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    late: list[float] = []

    def ask() -> None:
        deadline = time.monotonic() + seconds
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while (begun := time.monotonic()) < deadline:
                status, _ = one_answer(connection, request)
                if status != 200:
                    raise RuntimeError(f"answer {status}")
                late.append((time.monotonic() - begun) * 1000)

    threads = [threading.Thread(target=ask) for _ in range(LOAD_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(late)


def under_load(place: Service, path: str, seconds: float = LOAD_SECONDS) -> tuple[float, list[float]]:
    """Requests per second, and the sorted latencies in ms, measured from another process."""
    results: multiprocessing.Queue = multiprocessing.Queue()
    client = multiprocessing.Process(target=load, args=(place.port, path, seconds, results))
    client.start()
    late = sorted(results.get(timeout=seconds + 60))
    client.join()
    return len(late) / seconds, late


def region_state_figure() -> None:
    """GET /regions/{r} with 1,000 images, from the stored state."""
    with local(SYNCLINE_WEB_WORKERS="2") as place:
        database = Database(place.database_url)
        items = [
            KnownItem(
                f"image-{number}", "ok", "active", 10**9 + number, (), None, f"src-{number}", f"dst-{number}"
            )
            for number in range(IMAGES)
        ]
        with database.write() as session:
            region_state.replace_items(session, "Burgos", items)
        database.dispose()
        place.web()
        with socket.create_connection(("127.0.0.1", place.port)) as connection:
            _, length = one_answer(connection, b"GET /regions/Burgos HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        under_load(place, "/regions/Burgos", 2.0)
        rate, late = under_load(place, "/regions/Burgos")
        p99 = late[int(len(late) * 0.99) - 1]
        ok = rate >= 400 and p99 <= 50
        report("region_from_state", rate, "requests/s", ok, p99_ms=round(p99, 1), body_bytes=length)


def start_latency(name: str, make: Callable[..., object], median_ms: float, p95_ms: float | None) -> None:
    """From the sending of a POST to the worker's first write for the task, on an idle service."""
    with make(SYNCLINE_WEB_WORKERS="2") as place:  # type: ignore[attr-defined]
        place.web()
        place.worker("--workers", "2")
        place.ended(place.post())
        chance, late = random.Random(7), []
        for _ in range(POSTS):
            time.sleep(chance.uniform(0.6, 1.0))
            sent = datetime.now(UTC)
            task_id = place.post()
            place.ended(task_id)
            late.append((_started(place, task_id) - sent).total_seconds() * 1000)
        late.sort()
        median, p95 = statistics.median(late), late[int(len(late) * 0.95) - 1]
        ok = median <= median_ms and (p95_ms is None or p95 <= p95_ms)
        report(f"post_to_work_{name}", median, "ms", ok, p95=round(p95, 1), max=round(late[-1], 1))


def _started(place: Service, task_id: str) -> datetime:
    """When the worker took the task up, with all digits that the database keeps."""
    database = Database(place.database_url)
    try:
        from app.sync.models import Task

        with database.read() as session:
            started = session.get_one(Task, task_id).started_at
    finally:
        database.dispose()
    if started is None:
        raise RuntimeError(f"task {task_id} was never started")
    return started


def memory_figure() -> None:
    """Resident memory of an idle web process and an idle worker process."""
    with local() as place:
        web, worker = place.web(), place.worker()
        place.ended(place.post())
        place.get("/regions/Burgos")
        time.sleep(1.0)
        for name, process, most in (("web", web, 110), ("worker", worker, 120)):
            members = psutil.Process(process.pid).children()
            largest = max(member.memory_info().rss for member in members) / MIB
            together = sum(member.memory_full_info().pss for member in members) / MIB
            report(f"idle_memory_{name}", largest, "MiB", largest <= most, together=round(together, 1))


def streams_figure() -> None:
    """500 open event streams on two web processes, and how others are served meanwhile."""
    with local(SYNCLINE_WEB_WORKERS="2") as place, ExitStack() as stack:
        place.web()
        task_id = place.post()
        request = f"GET /regions/Burgos/tasks/{task_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        connections = []
        for _ in range(STREAMS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", place.port)))
            connection.sendall(request)
            connections.append(connection)
        opened = sum(b" 200 " in connection.recv(4096) for connection in connections)
        rate, late = under_load(place, "/", 4.0)
        place.worker("--workers", "1")
        begun = time.monotonic()
        ended = sum(_hears_end(connection) for connection in connections)
        report(
            "open_event_streams",
            opened,
            "streams",
            opened == ended == STREAMS and late[int(len(late) * 0.99) - 1] < 250,
            told_the_end=ended,
            told_after_s=round(time.monotonic() - begun, 2),
            other_requests_per_s=round(rate),
            other_p99_ms=round(late[int(len(late) * 0.99) - 1], 1),
        )


def _hears_end(connection: socket.socket) -> bool:
    received = b""
    deadline = time.monotonic() + 30
    while b"event: ended" not in received and time.monotonic() < deadline:
        if select.select([connection], [], [], 1.0)[0]:
            piece = connection.recv(1 << 16)
            if not piece:
                break
            received += piece
    return b"event: ended" in received


def many_regions_figure(regions: int, images: int) -> None:
    """Many regions with many small images each: how the time falls with workers; nothing lost or doubled."""
    seconds: dict[int, float] = {}
    for workers in (1, 2, 4):
        with distributed(SYNCLINE_LOG_LEVEL="warning") as place:
            for number in range(images):
                place.add(MASTER, f"image-{number}", 1000)
            names = [f"Region{number}" for number in range(regions)]
            for name in names:
                place.store(name)
            place.web()
            worker = place.worker("--workers", str(workers))
            begun = time.monotonic()
            with ThreadPoolExecutor(8) as pool:
                tasks = list(pool.map(place.post, names))
            _wait_for_all(place, len(tasks))
            seconds[workers] = time.monotonic() - begun
            wrong = sum(_differs(place, name, images) for name in names)
            os.kill(worker.pid, signal.SIGTERM)
        report(
            f"many_regions_{workers}_workers",
            regions * images / seconds[workers],
            "images/s",
            wrong == 0,
            regions=regions,
            images_each=images,
            seconds=round(seconds[workers], 1),
            wrong_regions=wrong,
        )
    speed_up = seconds[1] / seconds[2]
    report("many_regions_speed_up_2_workers", speed_up, "times", speed_up >= 1.6)


def _wait_for_all(place: Service, number: int, seconds: float = 1800.0) -> None:
    database = Database(place.database_url)
    deadline = time.monotonic() + seconds
    ended = "SELECT count(*) FROM tasks WHERE status <> 'syncing' AND mode = 'sync'"
    try:
        while time.monotonic() < deadline:
            with database.read() as session:
                if session.execute(text(ended)).scalar_one() == number:
                    return
            time.sleep(0.2)
    finally:
        database.dispose()
    raise TimeoutError(f"not all of {number} tasks have ended after {seconds} s")


def _differs(place: Service, region: str, images: int) -> bool:
    """Whether an image is missing or there twice."""
    found = place.images(region)
    return len(found) != images or any(len(each) != 1 for each in found.values())


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one of the names below")
    parser.add_argument("--regions", type=int, default=200)
    parser.add_argument("--images", type=int, default=100)
    options = parser.parse_args()
    figures: dict[str, Callable[[], None]] = {
        "region": region_state_figure,
        "post-embedded": lambda: start_latency("embedded", local, 60, 100),
        "post-rabbitmq": lambda: start_latency("rabbitmq", distributed, 20, None),
        "memory": memory_figure,
        "streams": streams_figure,
        "many": lambda: many_regions_figure(options.regions, options.images),
    }
    for name, measure in figures.items():
        if options.only in (None, name):
            measure()


if __name__ == "__main__":
    main()
