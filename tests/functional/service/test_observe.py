"""Health and metrics of a running service."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families as parse

from tests.functional.service.place import Service
from tests.servers import wait_until

ROOT = Path(__file__).resolve().parents[3]
LIMIT_SECONDS = 30
REQUESTS = 60


def samples(place: Service) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every figure of ``/metrics`` by name and labels."""
    text = requests.get(f"{place.url}/metrics", timeout=30).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def figure(place: Service, name: str, **labels: str) -> float | None:
    """One figure; None if it is not there."""
    return samples(place).get((name, frozenset(labels.items())))


def test_requests_of_all_web_processes_are_counted_once(small: Service) -> None:
    """Whichever process is scraped, it tells the requests of all; one that died takes none away."""
    web = small.web(SYNCLINE_WEB_WORKERS="3")
    for _ in range(REQUESTS):
        # A connection each, so that all processes get some.
        assert requests.get(f"{small.url}/", timeout=10, headers={"Connection": "close"}).ok
    wanted = {"method": "GET", "route": "/", "status": "200"}
    seen = {figure(small, "syncline_http_requests_total", **wanted) for _ in range(10)}
    assert seen == {float(REQUESTS)}
    victim = psutil.Process(web.pid).children()[0]
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(
        lambda: len(psutil.Process(web.pid).children()) == 3 and not victim.is_running(),
        LIMIT_SECONDS,
        "a new web process",
    )
    assert figure(small, "syncline_http_requests_total", **wanted) == REQUESTS
    assert figure(small, "syncline_http_request_duration_seconds_count", method="GET", route="/") == REQUESTS


def test_foreign_paths_and_methods_become_no_labels(small: Service) -> None:
    """Nobody can fill the metrics with names of their own."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    for number in range(3):
        requests.get(f"{small.url}/nothing/{number}", timeout=10)
        requests.request(f"BREW{number}", f"{small.url}/", timeout=10)
    found = {labels for name, labels in samples(small) if name == "syncline_http_requests_total"}
    routes = {dict(labels)["route"] for labels in found}
    assert "none" in routes
    assert not any("nothing" in route for route in routes)
    assert {dict(labels)["method"] for labels in found} <= {"GET", "other"}


def test_figures_of_the_database(small: Service) -> None:
    """Tasks by status, items by region and status, bytes, durations, queue and workers can be watched."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    small.store("Caceres")
    small.worker("--workers", "1", "--lanes", "region.Burgos")
    small.ended(small.post())
    waiting = small.post("Caceres")
    found = samples(small)

    def value(name: str, **labels: str) -> float:
        return found[name, frozenset(labels.items())]

    assert value("syncline_tasks", mode="sync", status="synced") == 1
    assert value("syncline_tasks", mode="sync", status="syncing") == 1
    assert value("syncline_region_items", region="Burgos", content="images", status="ok") == 3
    assert value("syncline_region_sent_bytes", region="Burgos") == 30
    assert value("syncline_task_duration_seconds_bucket", mode="sync", le="+Inf") == 1
    assert value("syncline_jobs", lane="region.Caceres", state="queued") == 1
    assert value("syncline_workers", lane="region.Burgos") == 1
    assert value("syncline_database_up") == 1
    assert value("syncline_region_synced_timestamp_seconds", region="Burgos", content="images") > 1e9
    assert waiting


def test_every_figure_is_in_the_handbook(small: Service) -> None:
    """Names of metrics are promises: each is explained in the page about operations, and no other is."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    small.worker("--workers", "1")
    small.ended(small.post())
    text = requests.get(f"{small.url}/metrics", timeout=30).text
    names = {family.name for family in parse(text)}
    names = {re.sub(r"_(total|gcount|gsum)$", "", name) for name in names}
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(syncline_[a-z_]+)", page, flags=re.MULTILINE))
    assert names == {re.sub(r"_total$", "", name) for name in documented}


def test_ready_says_what_is_missing(small: Service) -> None:
    """Without a worker the service is alive and not ready; with one it is ready."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    alive = requests.get(f"{small.url}/healthz", timeout=10)
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})
    answer = requests.get(f"{small.url}/readyz", timeout=10)
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert {name: part["status"] for name, part in answer.json()["parts"].items()} == {
        "database": "ok",
        "workers": "failed",
        "broker": "not used",
        "keystone": "not used",
    }
    small.worker("--workers", "1")
    answer = requests.get(f"{small.url}/readyz", timeout=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


def test_ready_fails_while_the_tables_are_of_another_version(small: Service) -> None:
    """A service whose migrations are missing takes itself out of the rotation and says what to do."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    assert small.call("db", "downgrade", "0001").returncode == 0
    answer = requests.get(f"{small.url}/readyz", timeout=10)
    assert answer.status_code == 503
    assert "run.py db upgrade" in answer.json()["parts"]["database"]["detail"]
    assert figure(small, "syncline_database_up") == 0


def test_counters_of_a_killed_service_are_cleared_away(small: Service) -> None:
    """The next start removes what a killed one has left in the state folder."""
    web = small.web(SYNCLINE_WEB_WORKERS="1")
    folder = small.home / "state" / "metrics"
    (left,) = folder.iterdir()
    small.kill_all()
    assert left.is_dir()
    web = small.web(SYNCLINE_WEB_WORKERS="1")
    (present,) = folder.iterdir()
    assert present.name == str(web.pid)
    web.terminate()
    assert web.wait(LIMIT_SECONDS) == 0
    assert list(folder.iterdir()) == []
