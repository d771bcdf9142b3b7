"""Any process may die at any moment: no task is stuck, nothing is lost, done twice or left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from sqlalchemy import text

from app.db import Database
from tests.functional.service.place import MASTER, Service, family, kill, service, thaw
from tests.servers import PostgresServer, RabbitServer, wait_until

BIG_BYTES = 300 << 20
LIMIT_SECONDS = 90.0
SMALL_IMAGES = 5
RETRY_SECONDS = 0.05


@contextmanager
def furnished(home: Path, url: str, big_bytes: int = 0, **options: str) -> Iterator[Service]:
    """A service with five small images in its master region, and a big one where wanted."""
    with service(home, url, **options) as made:
        for number in range(SMALL_IMAGES):
            made.add(MASTER, f"small-{number}", 1000 + number)
        if big_bytes:
            made.add(MASTER, "big", big_bytes)
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Service]:
    """Small images on SQLite."""
    with furnished(tmp_path / "place", f"sqlite:///{tmp_path / 'syncline.db'}") as made:
        yield made


@pytest.fixture
def big(tmp_path: Path) -> Iterator[Service]:
    """With an image that takes most of a second to bring, on SQLite."""
    with furnished(tmp_path / "place", f"sqlite:///{tmp_path / 'syncline.db'}", BIG_BYTES) as made:
        yield made


def worker_processes(supervisor: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """All that a supervisor has started."""
    return psutil.Process(supervisor.pid).children()


def check_in_order(place: Service, regions: Sequence[str] = ("Burgos",)) -> None:
    """Nothing is stuck, doubled, missing or left behind: neither tasks, jobs, images nor files."""
    assert place.get("/tasks", status="syncing")["tasks"] == []
    database = Database(place.database_url)
    with database.read() as session:
        active = session.scalars(text("SELECT id FROM jobs WHERE state IN ('queued', 'running')")).all()
    database.dispose()
    assert list(active) == []
    wanted = {name: images[0].checksum for name, images in place.images(MASTER).items()}
    for region in regions:
        found = place.images(region)
        assert {name: len(images) for name, images in found.items()} == dict.fromkeys(wanted, 1)
        assert {name: images[0].checksum for name, images in found.items()} == wanted
        assert {images[0].status for images in found.values()} == {"active"}
        assert place.stray_files(region) == []


def retried(place: Service, region: str, key: str) -> str:
    """POST as a careful client does: the same key again until there is an answer; the task's id."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            answer = requests.post(
                f"{place.url}/regions/{region}", headers={"Idempotency-Key": key}, timeout=20
            )
            if answer.ok:
                return str(answer.json()["taskId"])
            assert answer.status_code >= 500, answer.text
        except requests.RequestException:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        time.sleep(RETRY_SECONDS)


@pytest.mark.parametrize("whole", [False, True], ids=["one process", "everything"])
def test_a_worker_killed_in_the_middle_of_an_upload(big: Service, whole: bool) -> None:
    """Its task is taken up by another worker and ends synced; no half image stays."""
    big.web(SYNCLINE_WEB_WORKERS="1")
    worker = big.worker("--workers", "1")
    task_id = big.post()
    big.freeze_upload(worker)
    victims = family(worker) if whole else worker_processes(worker)[:1]
    for victim in victims:
        kill(victim)
    if whole:
        worker.wait()
        big.worker("--workers", "1")
    else:
        thaw(worker)
    task = big.ended(task_id)
    assert (task["status"], task["attempt"]) == ("synced", 2)
    check_in_order(big)


def test_a_paused_worker_that_comes_back_changes_nothing(big: Service) -> None:
    """The next worker clears away what the sleeper had begun and finishes; awake, it gives all up."""
    big.web(SYNCLINE_WEB_WORKERS="1")
    sleeper = big.worker("--workers", "1")
    task_id = big.post()
    big.freeze_upload(sleeper)
    big.worker("--workers", "1")
    task = big.ended(task_id)
    assert (task["status"], task["attempt"]) == ("synced", 2)
    assert {item["error"] for item in task["items"]} == {None}
    thaw(sleeper)
    wait_until(lambda: "OVERTAKEN" in big.log("worker"), LIMIT_SECONDS, "the return of the sleeper")
    assert big.task(task_id) == task
    assert big.ended(big.post())["status"] == "synced"
    check_in_order(big)


def test_a_stopped_worker_hands_its_work_on(big: Service) -> None:
    """SIGTERM in the middle of an upload costs no attempt and loses nothing."""
    big.web(SYNCLINE_WEB_WORKERS="1")
    worker = big.worker("--workers", "1", SYNCLINE_STOP_GRACE_SECONDS="0")
    task_id = big.post()
    big.freeze_upload(worker)
    worker.terminate()
    thaw(worker)
    assert worker.wait(LIMIT_SECONDS) == 0
    big.worker("--workers", "1")
    assert big.ended(task_id)["status"] == "synced"
    check_in_order(big)


def test_a_web_process_killed_during_posts(place: Service) -> None:
    """Clients that try again with their key get one task each, and all of them end."""
    regions = [f"Region{number}" for number in range(8)]
    for region in regions:
        place.store(region)
    web = place.web(SYNCLINE_WEB_WORKERS="2")
    place.worker("--workers", "2")
    stop = threading.Event()

    def assassin() -> None:
        while not stop.wait(0.4):
            for child in psutil.Process(web.pid).children()[:1]:
                kill(child)

    killer = threading.Thread(target=assassin)
    killer.start()
    try:
        with ThreadPoolExecutor(len(regions)) as pool:
            found = list(pool.map(lambda region: retried(place, region, f"key-{region}"), regions))
    finally:
        stop.set()
        killer.join()
    wait_until(place.answers, LIMIT_SECONDS, "an answer")
    for region, task_id in zip(regions, found, strict=True):
        assert place.ended(task_id, region)["status"] == "synced"
    tasks = place.get("/tasks")["tasks"]
    assert sorted(task["region"] for task in tasks) == sorted(regions)
    check_in_order(place, regions)


def test_fifty_posts_at_once_are_one_task(place: Service) -> None:
    """However many clients ask at the same moment, the region has one task, and all are told of it."""
    place.web(SYNCLINE_WEB_WORKERS="2")
    together = threading.Barrier(50)

    def post(_number: int) -> str:
        together.wait()
        return place.post()

    with ThreadPoolExecutor(50) as pool:
        found = set(pool.map(post, range(50)))
    assert len(found) == 1
    place.worker("--workers", "2")
    assert place.ended(found.pop())["status"] == "synced"
    check_in_order(place)


BROKEN_OFF = (
    b"GET /regions HTTP/1.1\r\nHost: 127",
    b"POST /regions/Burgos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 500\r\n\r\n{",
    b"GET /regions HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /regions/Burgos/tasks/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
)


def test_a_hundred_clients_that_hang_up(place: Service) -> None:
    """Clients that leave in the middle of a request, a body, an answer or a stream cost nobody anything."""
    web = place.web(SYNCLINE_WEB_WORKERS="2")
    task_id = place.post().encode()
    before = {child.pid for child in psutil.Process(web.pid).children()}
    for number in range(100):
        words = BROKEN_OFF[number % len(BROKEN_OFF)].replace(b"%s", task_id)
        connection = socket.create_connection(("127.0.0.1", place.port), timeout=10)
        connection.sendall(words)
        # An abrupt end (RST) for every other client.
        if number % 2:
            linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()
    place.worker("--workers", "1")
    assert place.ended(task_id.decode())["status"] == "synced"
    assert {child.pid for child in psutil.Process(web.pid).children()} == before
    check_in_order(place)


def test_beat_killed_and_started_again(place: Service) -> None:
    """Each period of a schedule is served once, although beats die and two run at the same time."""
    (place.home / "syncline.cfg").write_text(
        '[schedule s]\nkind = region.sync\nevery = 1s\npayload = {"regions": ["Burgos"]}\n', encoding="utf-8"
    )
    place.web(SYNCLINE_WEB_WORKERS="1")
    place.worker("--workers", "1")
    beats = [place.start("beat"), place.start("beat")]

    def synced() -> int:
        return len(place.get("/tasks", status="synced")["tasks"])

    wait_until(lambda: synced() >= 2, LIMIT_SECONDS, "scheduled tasks")
    for beat in beats:
        os.kill(beat.pid, signal.SIGKILL)
        beat.wait()
    seen = synced()
    place.start("beat")
    wait_until(lambda: synced() > seen + 1, LIMIT_SECONDS, "scheduled tasks after the kill")
    database = Database(place.database_url)
    with database.read() as session:
        slot, jobs = session.execute(
            text(
                "SELECT (SELECT slot FROM schedule_slots), "
                "(SELECT count(*) FROM jobs WHERE kind = 'region.sync')"
            )
        ).one()
        first = session.execute(text("SELECT min(created_at) FROM jobs")).scalar_one()
    database.dispose()
    assert slot > 0
    assert jobs <= slot - _second_of(first) + 1


def _second_of(stored: str) -> int:
    from datetime import UTC, datetime

    return int(datetime.fromisoformat(stored).replace(tzinfo=UTC).timestamp())


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    where = tmp_path / "disk"
    where.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(where)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.decode().strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True, timeout=30)


def test_the_disk_of_the_database_is_full(tiny_disk: Path, tmp_path: Path) -> None:
    """Requests are refused with a reason, running work waits, and all goes on when there is room again."""
    url = f"sqlite:///{tiny_disk / 'syncline.db'}"
    with furnished(tmp_path / "place", url) as place:
        place.store("Caceres")
        place.web(SYNCLINE_WEB_WORKERS="1")
        place.worker("--workers", "1")
        assert place.ended(place.post())["status"] == "synced"
        ballast = tiny_disk / "ballast"
        _fill(ballast)
        refused = _refused(place)
        assert refused.status_code in (500, 503, 507)
        assert "error" in refused.json()
        assert requests.get(f"{place.url}/healthz", timeout=10).ok
        ballast.unlink()
        task_id = retried(place, "Caceres", "after")
        assert place.ended(task_id, "Caceres")["status"] == "synced"
        check_in_order(place, ("Burgos", "Caceres"))


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def _refused(place: Service) -> requests.Response:
    """The first answer that says no: the database may have had some room inside its files."""
    for number in range(400):
        answer = requests.post(
            f"{place.url}/regions/Burgos", json={"images": [f"{number}-{'x' * 200}"] * 100}, timeout=40
        )
        if not answer.ok:
            return answer
    pytest.fail("the database has never been full")


def test_postgresql_restarted_under_load(
    postgres_server: PostgresServer, migrated_template: str, tmp_path: Path
) -> None:
    """Tasks that run while the database is away end as if nothing had happened."""
    url = postgres_server.create(migrated_template)
    regions = [f"Region{number}" for number in range(10)]
    with furnished(tmp_path / "place", url) as place:
        for region in regions:
            place.store(region)
        place.web(SYNCLINE_WEB_WORKERS="2")
        place.worker("--workers", "2")
        with ThreadPoolExecutor(len(regions)) as pool:
            posts = [pool.submit(retried, place, region, f"key-{region}") for region in regions]
            for _ in range(2):
                postgres_server.restart()
            found = [post.result() for post in posts]
        wait_until(lambda: requests.get(f"{place.url}/readyz", timeout=30).ok, LIMIT_SECONDS, "ready")
        for region, task_id in zip(regions, found, strict=True):
            assert place.ended(task_id, region)["status"] == "synced"
        check_in_order(place, regions)
    postgres_server.drop(url)


def test_rabbitmq_restarted_under_load(rabbit_server: RabbitServer, tmp_path: Path) -> None:
    """Messages that the broker loses are sent again; every task ends, each done once."""
    regions = [f"Region{number}" for number in range(10)]
    options = {
        "SYNCLINE_DISPATCHER": "celery",
        "SYNCLINE_BROKER_URL": rabbit_server.url,
        "SYNCLINE_REWAKE_SECONDS": "2",
    }
    url = f"sqlite:///{tmp_path / 'syncline.db'}"
    with furnished(tmp_path / "place", url, **options) as place:
        for region in regions:
            place.store(region)
        place.web(SYNCLINE_WEB_WORKERS="2")
        place.worker("--workers", "2")
        found = [retried(place, region, f"key-{region}") for region in regions[:5]]
        rabbit_server.restart()
        found += [retried(place, region, f"key-{region}") for region in regions[5:]]
        for region, task_id in zip(regions, found, strict=True):
            task = place.ended(task_id, region, LIMIT_SECONDS)
            assert (task["status"], task["attempt"]) == ("synced", 1)
        check_in_order(place, regions)
