"""``run.py remote`` against a running service."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.functional.client.service import IMAGES, REGIONS, ROOT, Service
from tests.servers import free_port, wait_until


def remote(service: Service, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One call without login."""
    return service.run("remote", *arguments, OS_SYNC_ENDPOINT=service.url, **environment)


def document(service: Service, *arguments: str) -> dict:
    """What a call prints as JSON."""
    done = remote(service, *arguments, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_from_start_to_history(service: Service) -> None:
    """An operator starts a region, watches it, looks at the result, and removes the task."""
    done = remote(service, "start", "Burgos", "--follow")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("Burgos: 2 images,")
    assert lines[-1] == "Burgos: synced"
    assert {f"Burgos: {name}: done, ok" for name in IMAGES} <= set(lines)

    images = document(service, "show", "Burgos")["images"]
    assert {image["name"]: image["status"] for image in images} == dict.fromkeys(IMAGES, "ok")
    (task,) = document(service, "tasks", "--region", "Burgos", "--status", "synced")["tasks"]
    items = document(service, "task", "Burgos", task["id"], "--items")["items"]
    assert {item["name"]: item["result"] for item in items} == dict.fromkeys(IMAGES, "done")
    assert document(service, "task", "Burgos", task["id"])["task"]["counts"] == {"ok": 2}
    assert remote(service, "delete", "Burgos", task["id"]).returncode == 0
    assert document(service, "tasks", "--region", "Burgos")["tasks"] == []


def test_show_can_look_anew(service: Service) -> None:
    """``--refresh`` waits for a look at the region and shows what it found."""
    images = document(service, "show", "other:Madrid", "--refresh")["images"]
    assert {image["name"] for image in images} == set(IMAGES)
    (image,) = document(service, "show", "other:Madrid", "--image", "small")["images"]
    assert image["size_bytes"] == len(IMAGES["small"])


def test_values_for_scripts(service: Service) -> None:
    """``-f value`` prints one line per row, so that cut and read can take it."""
    done = remote(service, "regions", "-f", "value")
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == set(REGIONS)


def test_events_for_programs(service: Service) -> None:
    """``-f json`` prints each event as one JSON object on a line."""
    task = document(service, "start", "Caceres", "--dry-run")["task"]
    done = remote(service, "follow", "Caceres", task["id"], "-f", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[-1]["event"], events[-1]["data"]["status"]) == ("ended", "synced")
    assert done.returncode == 0


def test_failed_task_is_exit_code_3(service: Service) -> None:
    """A task that failed is told by the exit code of whoever followed it."""
    document(service, "regions")
    shutil.rmtree(service.home / "regions" / "Lost")
    done = remote(service, "start", "Lost", "--follow")
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1].startswith("Lost: failed: ")
    assert remote(service, "show", "Lost", "--refresh").returncode == 3


@pytest.fixture
def waiting(idle: Service) -> Iterator[str]:
    """A task in Burgos that nobody takes up."""
    task = document(idle, "start", "Burgos")["task"]
    yield task["id"]
    remote(idle, "cancel", "Burgos", task["id"])
    remote(idle, "delete", "Burgos", task["id"])


def test_cancel(idle: Service, waiting: str) -> None:
    """A running task cannot be removed: the code says busy. Once it is called off it can."""
    early = remote(idle, "delete", "Burgos", waiting)
    assert early.returncode == 3
    assert early.stderr.startswith("ERROR:")
    assert remote(idle, "cancel", "Burgos", waiting).returncode == 0
    assert document(idle, "task", "Burgos", waiting)["task"]["reason"] == "cancelled"


def test_follow_ends_with_its_time(idle: Service, waiting: str) -> None:
    """``--timeout`` ends the following; the task goes on."""
    done = remote(idle, "follow", "Burgos", waiting, "--timeout", "0.5")
    assert done.returncode == 1
    assert "did not end in time" in done.stderr
    assert document(idle, "task", "Burgos", waiting)["task"]["status"] == "syncing"


def test_follow_ends_with_a_signal(idle: Service, waiting: str) -> None:
    """Ctrl-C ends the following with 130; the task goes on."""
    call = [
        sys.executable,
        str(ROOT / "run.py"),
        "remote",
        "follow",
        "Burgos",
        waiting,
        "--endpoint",
        idle.url,
    ]
    streams = f"/tasks/{waiting}/events"
    with subprocess.Popen(
        call, cwd=idle.home, env=idle.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        log = idle.home / "gunicornserver.log"
        wait_until(lambda: streams in log.read_text(encoding="utf-8"), 20, "the stream's request")
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 130, err
    assert document(idle, "task", "Burgos", waiting)["task"]["status"] == "syncing"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "Nowhere"), 2, "Nowhere"),
        (("start", "Nowhere"), 2, "Nowhere"),
        (("task", "Burgos", "no-task"), 1, "no-task"),
        (("tasks", "--status", "lost"), 2, "lost"),
        (("start",), 2, "REGION"),
    ],
    ids=["show", "start", "task", "status", "usage"],
)
def test_wrong_requests(idle: Service, arguments: tuple[str, ...], code: int, said: str) -> None:
    """What cannot be asked for ends with the exit code of the house and one line."""
    done = remote(idle, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""


def test_no_service_there(idle: Service) -> None:
    """Nobody at the address: exit code 1 and the address."""
    url = f"http://127.0.0.1:{free_port()}"
    done = idle.run("remote", "regions", "--endpoint", url)
    assert done.returncode == 1
    assert url in done.stderr


def test_no_credential(idle: Service) -> None:
    """Without address and login the message says what to give."""
    done = idle.run("remote", "regions", HOME=str(idle.home))
    assert done.returncode == 1
    assert "--endpoint" in done.stderr
