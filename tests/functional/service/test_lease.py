"""The command line takes the same leases as the service: one active task per region, whoever starts it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from app.db import Database
from app.jobs.models import NewJob
from app.jobs.queue import JobQueue
from app.jobs.region_tasks import FOREGROUND_KIND, SETTLED
from app.settings import JobSettings
from app.sync import tasks
from app.sync.tasks import NewTask
from tests.functional.service.place import Service, service, thaw
from tests.servers import free_port

BIG_BYTES = 300 << 20
"""Takes most of a second to bring, so that it can be met in the middle."""

LIMIT_SECONDS = 60
EXIT_INCOMPLETE = 3


@contextmanager
def big_service(home: Path, url: str) -> Iterator[Service]:
    """A service whose master region has one image that takes a while, and a web process."""
    with service(home, url) as made:
        made.add("Valladolid", "big", BIG_BYTES)
        made.web(SYNCLINE_WEB_WORKERS="1")
        yield made


@pytest.fixture
def big(tmp_path: Path) -> Iterator[Service]:
    """On SQLite."""
    with big_service(tmp_path / "place", f"sqlite:///{tmp_path / 'syncline.db'}") as made:
        yield made


@pytest.fixture
def big_anywhere(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """On SQLite and on PostgreSQL."""
    with big_service(tmp_path / "place", database_url) as made:
        yield made


def frozen_task(place: Service, process: subprocess.Popen[bytes], region: str = "Burgos") -> str:
    """Stop the process in the middle of an upload; the id of the region's task."""
    place.freeze_upload(process, region)
    (task,) = place.get("/tasks", status="syncing", region=region)["tasks"]
    return str(task["taskId"])


def test_a_sync_of_the_command_line_is_a_task_that_others_see(big_anywhere: Service) -> None:
    """While it runs REST finds its task instead of starting one; then it has ended with its items."""
    cli = big_anywhere.start(*big_anywhere.sync("Burgos"))
    task_id = frozen_task(big_anywhere, cli)
    assert big_anywhere.post() == task_id
    thaw(cli)
    assert cli.wait(LIMIT_SECONDS) == 0
    task = big_anywhere.ended(task_id)
    assert (task["status"], task["counts"], task["reason"]) == ("synced", {"ok": 1}, None)
    assert task["requester"].startswith("cli:")
    assert [item["name"] for item in task["items"]] == ["big"]
    assert task["bytes_done"] == BIG_BYTES


def test_a_region_in_work_is_left_alone_and_others_go_on(big: Service) -> None:
    """The command line says who is at a region, does the others, and ends with 3."""
    big.store("Caceres")
    big.worker("--workers", "1")
    task_id = big.post()
    done = big.call(*big.sync("Burgos", "Caceres"))
    assert done.returncode == EXIT_INCOMPLETE
    busy = f"region Burgos is being synchronised by task {task_id} (started by noauth)"
    assert busy in done.stderr
    assert set(big.images("Caceres")) == {"big"}
    assert big.ended(task_id)["status"] == "synced"
    assert len(big.images("Burgos")["big"]) == 1


def test_a_killed_command_line_leaves_no_task_behind(big_anywhere: Service) -> None:
    """Killed, the program leaves a task that fails with a reason; the next one finds nothing in its way."""
    big_anywhere.worker("--workers", "1")
    cli = big_anywhere.start(*big_anywhere.sync("Burgos"))
    task_id = frozen_task(big_anywhere, cli)
    os.kill(cli.pid, signal.SIGKILL)
    cli.wait()
    task = big_anywhere.ended(task_id)
    assert (task["status"], task["reason"]) == ("failed", "lost: the worker vanished")
    assert big_anywhere.ended(big_anywhere.post())["status"] == "synced"
    assert len(big_anywhere.images("Burgos")["big"]) == 1
    assert big_anywhere.stray_files("Burgos") == []


def test_a_task_of_the_command_line_can_be_called_off_over_rest(big: Service) -> None:
    """Cancelling it ends the work on its region at the next chunk and on no other region."""
    big.store("Caceres")
    cli = big.start(*big.sync("Burgos", "Caceres"))
    task_id = frozen_task(big, cli)
    answer = requests.post(f"{big.url}/regions/Burgos/tasks/{task_id}/cancel", timeout=30)
    assert answer.ok, answer.text
    thaw(cli)
    assert cli.wait(LIMIT_SECONDS) == EXIT_INCOMPLETE
    task = big.ended(task_id)
    assert (task["status"], task["reason"]) == ("failed", "cancelled")
    assert "big" not in big.images("Burgos")
    assert set(big.images("Caceres")) == {"big"}


def test_an_interrupted_command_line_gives_its_regions_up(big: Service) -> None:
    """Ctrl-C ends all tasks of the run, those not yet begun included, and the exit code says so."""
    big.store("Caceres")
    cli = big.start(*big.sync("Burgos", "Caceres"))
    frozen_task(big, cli)
    cli.send_signal(signal.SIGINT)
    thaw(cli)
    assert cli.wait(LIMIT_SECONDS) == 130
    tasks = [task for task in big.get("/tasks")["tasks"] if task["mode"] == "sync"]
    assert {task["region"]: task["status"] for task in tasks} == {"Burgos": "failed", "Caceres": "failed"}


def test_a_task_whose_program_died_before_it_began_ends_with_a_reason(big: Service) -> None:
    """A worker finds what a program has left in the queue, and ends the task instead of doing it."""
    database = Database(big.database_url)
    with database.write() as session:
        task, _ = tasks.start(session, NewTask("Burgos", "cli:gone"))
        job = NewJob(FOREGROUND_KIND, {"task_id": task.id}, lane="cli.gone:1", max_attempts=1)
        task.job_id = JobQueue(database, JobSettings(), SETTLED).enqueue(session, job).job_id
    database.dispose()
    big.worker("--workers", "1")
    ended = big.ended(task.id)
    assert (ended["status"], ended["reason"]) == (
        "failed",
        "the program that had started this task is gone",
    )


def test_a_dry_run_takes_no_lease(small: Service) -> None:
    """Who changes nothing is in nobody's way."""
    small.web(SYNCLINE_WEB_WORKERS="1")
    assert small.call(*small.sync("--dry-run", "Burgos")).returncode == 0
    assert small.get("/tasks")["tasks"] == []


def test_without_a_service_nothing_has_changed(small: Service) -> None:
    """Where no service is set up the command line needs no database."""
    quiet = {"SYNCLINE_DATABASE_URL": "", "SYNCLINE_SETTINGS_FILE": ""}
    done = small.call(*small.sync("Burgos"), **quiet)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(small.images("Burgos")) == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("postgresql://u:swordfish@127.0.0.1:{port}/x", "does not answer"),
        ("sqlite:///{home}/empty.db", "run.py db upgrade"),
    ],
    ids=["away", "old tables"],
)
def test_without_the_database_nothing_is_written(small: Service, url: str, text: str) -> None:
    """No lease, no sync: the program ends with 1, says what is wrong, and hides the password."""
    given = url.format(port=free_port(), home=small.home)
    done = small.call(*small.sync("Burgos"), SYNCLINE_DATABASE_URL=given)
    assert done.returncode == 1
    assert re.search(text, done.stderr)
    assert "swordfish" not in done.stderr
    assert small.images("Burgos") == {}


def test_several_regions_at_once_are_held_at_once(big: Service) -> None:
    """A parallel run holds a lease for each region and reads the master once."""
    big.store("Caceres")
    cli = big.start(*big.sync("--parallel", "Burgos", "Caceres"))
    big.freeze_upload(cli, "Burgos")
    found = big.get("/tasks", status="syncing")["tasks"]
    tasks = {task["region"]: task["taskId"] for task in found}
    thaw(cli)
    assert cli.wait(LIMIT_SECONDS) == 0
    assert {big.ended(tasks[region], region)["status"] for region in ("Burgos", "Caceres")} == {"synced"}
