"""The application under real gunicorn, above all its event streams."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from tests.functional.api.gunicorn_app import HOME_VARIABLE
from tests.functional.api.site import Site
from tests.functional.api.streams import Follower, parse
from tests.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]
STREAMS = 300
THREADS = 4


@dataclass
class Web:
    """Two gunicorn processes with few threads, beside a site that shares their database."""

    port: int
    process: subprocess.Popen[bytes]
    site: Site

    @property
    def url(self) -> str:
        """The service's address."""
        return f"http://127.0.0.1:{self.port}"

    def follow(self, task_id: str, last_event_id: int | None = None, region: str = "Burgos") -> Follower:
        """Begin a stream."""
        return Follower(self.port, f"/regions/{region}/tasks/{task_id}/events", last_event_id)

    def answers(self) -> bool:
        """Whether requests are served."""
        try:
            return requests.get(self.url, timeout=2).ok
        except requests.RequestException:
            return False

    def connections(self) -> int:
        """How many connections of clients the web processes hold."""
        held = [one for worker in self.workers() for one in worker.net_connections("tcp")]
        return sum(one.status != psutil.CONN_LISTEN for one in held)

    def workers(self) -> list[psutil.Process]:
        """The web processes."""
        return psutil.Process(self.process.pid).children()


@pytest.fixture
def web(small_site: Site, tmp_path: Path) -> Iterator[Web]:
    """The service under gunicorn."""
    port = free_port()
    command = [
        "-m",
        "gunicorn",
        "-k",
        "gthread",
        "-w",
        "2",
        "--threads",
        str(THREADS),
        "-b",
        f"127.0.0.1:{port}",
    ]
    with (tmp_path / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, "--graceful-timeout", "5", "tests.functional.api.gunicorn_app:make()"],
            cwd=ROOT,
            env={**os.environ, HOME_VARIABLE: str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    started = Web(port, process, small_site)
    try:
        wait_until(started.answers, 30, "gunicorn's first answer")
        yield started
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_stream_is_a_whole_answer_of_ours(web: Web) -> None:
    """A stream carries the headers of every answer, once each, and nothing of the web server's own."""
    follower = web.follow(web.site.start())
    assert follower.status == 200
    names = [name for name, _ in follower.headers]
    assert len(names) == len(set(names))
    headers = dict(follower.headers)
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["server"] == "Syncline"
    assert headers["x-openstack-request-id"].startswith("req-")
    assert headers["connection"] == "close"
    assert "content-length" not in headers
    assert "transfer-encoding" not in headers
    follower.close()


def test_there_is_one_server_header(web: Web) -> None:
    """Gunicorn's own Server header does not stand beside ours."""
    answer = requests.get(f"{web.url}/regions", timeout=10)
    assert answer.raw.headers.getlist("Server") == ["Syncline"]


def test_a_task_is_followed_to_its_end(web: Web) -> None:
    """Events arrive while they happen; after the end the server closes the connection."""
    task_id = web.site.start()
    follower = web.follow(task_id)
    web.site.tells(task_id, ("started", {"items": 1}))
    follower.read_until(b"event: started")
    web.site.ends(task_id)
    follower.read_all()
    assert [event.kind for event in parse(follower.body())] == ["started", "ended"]


def test_a_client_that_lost_its_stream_goes_on_where_it_was(web: Web) -> None:
    """After a broken connection nothing is missed and nothing comes twice."""
    task_id = web.site.start()
    web.site.tells(task_id, ("progress", {"n": 1}), ("progress", {"n": 2}))
    first = web.follow(task_id)
    first.read_until(b'"n":2')
    seen = parse(first.body())
    first.close()
    web.site.tells(task_id, ("progress", {"n": 3}))
    web.site.ends(task_id)
    second = web.follow(task_id, seen[-1].id)
    second.read_all()
    assert [event.kind for event in parse(second.body())] == ["progress", "ended"]
    assert not {event.id for event in seen} & {event.id for event in parse(second.body())}


def test_streams_hold_no_threads(web: Web) -> None:
    """300 streams on 8 threads: each gets every event, and other requests are answered meanwhile."""
    task_ids = [web.site.start(region) for region in ("Burgos", "Caceres", "federation2:Madrid")]
    regions = dict(zip(task_ids, ("Burgos", "Caceres", "federation2:Madrid"), strict=True))
    chosen = [task_ids[number % 3] for number in range(STREAMS)]
    with ThreadPoolExecutor(16) as pool:
        followers = list(pool.map(lambda task_id: web.follow(task_id, region=regions[task_id]), chosen))
        for follower in followers:
            follower.read_until(b"retry:")
        started = time.perf_counter()
        answers = list(
            pool.map(lambda _: requests.get(f"{web.url}/regions", timeout=20).status_code, range(100))
        )
        assert answers == [200] * 100
        assert time.perf_counter() - started < 15
        for task_id in task_ids:
            web.site.tells(task_id, ("progress", {"task": task_id}))
            web.site.ends(task_id)
        for follower, task_id in zip(followers, chosen, strict=True):
            follower.read_all()
            events = parse(follower.body())
            assert [event.kind for event in events] == ["progress", "ended"]
            assert events[0].data == {"task": task_id}
            follower.close()


def test_clients_that_vanish_leave_nothing_behind(web: Web) -> None:
    """100 clients that disconnect in the middle cost no descriptor and no place."""
    task_id = web.site.start()
    vanish(web, task_id, 100)
    wait_until(lambda: web.connections() == 0, 20, "closing the first connections")
    before = sum(worker.num_fds() for worker in web.workers())
    vanish(web, task_id, 100)
    # Threads that had nothing to do before may have opened the database since.
    wait_until(
        lambda: sum(worker.num_fds() for worker in web.workers()) < before + 50, 20, "closing the others"
    )
    assert web.follow(task_id).status == 200


def vanish(web: Web, task_id: str, number: int) -> None:
    """Begin streams and leave them, each in one of three ways."""
    for follower in [web.follow(task_id) for _ in range(number)]:
        if follower.connection.fileno() % 3:
            follower.read_until(b"retry:")
        if follower.connection.fileno() % 2:
            hard_reset(follower.connection)
        follower.close()


def hard_reset(connection: socket.socket) -> None:
    """Make the coming close a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def test_requests_in_a_row_on_one_connection_are_unharmed(web: Web) -> None:
    """Streams leave other connections, kept alive or not, as they are."""
    task_id = web.site.start()
    with requests.Session() as session:
        for _ in range(20):
            follower = web.follow(task_id)
            follower.read_until(b"retry:")
            assert session.get(f"{web.url}/regions/Burgos", timeout=10).status_code == 200
            follower.close()


def test_the_service_stops_in_good_time_with_streams_open(web: Web) -> None:
    """Open streams do not delay a stop; their clients see the end of the connection."""
    followers = [web.follow(web.site.start()) for _ in range(20)]
    for follower in followers:
        follower.read_until(b"retry:")
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(15) == 0
    for follower in followers:
        follower.read_all()
        follower.close()


def test_a_body_that_is_too_large_is_refused(web: Web) -> None:
    """413 also for a body that does not say how long it is."""
    chunks = (b"x" * 1024 for _ in range(100))
    answer = requests.post(
        f"{web.url}/regions/Burgos", data=chunks, headers={"Content-Type": "application/json"}, timeout=10
    )
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == 413
