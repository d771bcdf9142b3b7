"""The commands that run the service: their options, their faults, their ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from tests.functional.service.place import ROOT, Service
from tests.servers import free_port, wait_until

LIMIT_SECONDS = 30
ORIGINAL_WORDS = (
    *("init", "migrate", "upgrade", "downgrade", "revision", "current", "history"),
    *("heads", "branches", "show", "stamp", "merge", "edit"),
)
HEAVY = ("flask", "sqlalchemy", "gunicorn", "prometheus_client", "celery")


def web_processes(master: subprocess.Popen[bytes]) -> set[int]:
    """The ids of the web processes."""
    return {child.pid for child in psutil.Process(master.pid).children()}


def test_a_sync_over_rest_runs_in_the_worker_and_logs_what_it_is_about(small: Service) -> None:
    """Started over REST, done in a worker, seen over REST; every log line is one object without secrets."""
    web = small.web()
    worker = small.worker()
    task = small.ended(small.post())
    assert (task["status"], task["counts"]) == ("synced", {"ok": 3})
    assert set(small.images("Burgos")) == {"one", "two", "three"}
    for process in (web, worker):
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_SECONDS) == 0
    for name in ("gunicornserver", "worker"):
        lines = [json.loads(line) for line in small.log(name).splitlines()]
        assert lines
        assert all({"time", "level", "logger", "message", "pid"} <= set(line) for line in lines)


def test_options_win_over_settings(small: Service) -> None:
    """-H, -p and -w are honoured, and the pidfile's folder is made and the file removed at the end."""
    pidfile = small.home / "run" / "deep" / "syncline.pid"
    small.port, wrong = free_port(), free_port()
    web = small.web(
        *("-H", "127.0.0.1", "-p", str(small.port), "-w", "3"),
        SYNCLINE_PORT=str(wrong),
        SYNCLINE_WEB_WORKERS="1",
        SYNCLINE_PIDFILE=str(pidfile),
    )
    wait_until(lambda: len(web_processes(web)) == 3, LIMIT_SECONDS, "three web processes")
    assert int(pidfile.read_text()) == web.pid
    web.terminate()
    web.wait(LIMIT_SECONDS)
    assert not pidfile.exists()


def test_reload_reads_the_settings_and_replaces_the_processes(small: Service) -> None:
    """SIGHUP brings new settings into new processes; wrong ones are told and change nothing."""
    file = small.home / "syncline.cfg"
    file.write_text("[api]\nserver_header = First\n", encoding="utf-8")
    web = small.web()
    assert requests.get(small.url, timeout=10).headers["Server"] == "First"
    before = web_processes(web)
    file.write_text("[api]\nserver_header = Second\n", encoding="utf-8")
    web.send_signal(signal.SIGHUP)
    wait_until(lambda: not before & web_processes(web), LIMIT_SECONDS, "new web processes")
    wait_until(small.answers, LIMIT_SECONDS, "an answer")
    assert requests.get(small.url, timeout=10).headers["Server"] == "Second"
    file.write_text("[api]\nweb_threads = 0\nserver_header = Third\n", encoding="utf-8")
    web.send_signal(signal.SIGHUP)
    wait_until(lambda: "settings stay as they were" in small.log("gunicornserver"), LIMIT_SECONDS, "a line")
    assert requests.get(small.url, timeout=10).headers["Server"] == "Second"


FAULTS = {
    "two options": (
        ["gunicornserver"],
        {"SYNCLINE_PORT": "99999", "SYNCLINE_WEB_WORKERS": "0"},
        ["ERROR:port: 99999 is not between 1 and 65535", "ERROR:web_workers: 0 is less than 1"],
    ),
    "noauth for everybody": (
        ["gunicornserver", "-H", "0.0.0.0"],
        {},
        ["ERROR:auth_strategy: noauth is allowed on loopback only, host is 0.0.0.0"],
    ),
    "runserver": (
        ["runserver"],
        {"SYNCLINE_PORT": "x"},
        ["ERROR:SYNCLINE_PORT: port: 'x' is not a whole number"],
    ),
    "unknown option": (["worker"], {"SYNCLINE_LANE": "a"}, ["ERROR:SYNCLINE_LANE: unknown option"]),
    "beat": (["beat"], {"SYNCLINE_WORKERS": "0"}, ["ERROR:workers: 0 is less than 1"]),
    "db": (
        ["db", "upgrade"],
        {"SYNCLINE_DATABASE_URL": "mysql://u:p@h/d"},
        ["ERROR:database_url: mysql is not supported (sqlite, postgresql)"],
    ),
}


@pytest.mark.parametrize(("arguments", "variables", "lines"), FAULTS.values(), ids=FAULTS)
def test_each_fault_of_the_settings_is_a_line(
    small: Service, arguments: list[str], variables: dict[str, str], lines: list[str]
) -> None:
    """Nothing starts with wrong settings: one line for each fault, exit code 1."""
    done = small.call(*arguments, **variables)
    assert done.returncode == 1
    assert done.stderr.splitlines() == lines


@pytest.mark.parametrize("command", ["gunicornserver", "worker", "beat"])
def test_nothing_starts_on_tables_of_another_version(small: Service, tmp_path: Path, command: str) -> None:
    """Before the migrations are applied each process says what to do, and ends with 1."""
    done = small.call(command, SYNCLINE_DATABASE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert done.returncode == 1
    assert "run.py db upgrade" in done.stderr


@pytest.mark.parametrize("command", [["worker"], ["db", "upgrade"]], ids=["worker", "db"])
def test_a_database_that_is_away_is_one_line_without_password(small: Service, command: list[str]) -> None:
    """The line says that it does not answer, and not with which password it was asked."""
    url = f"postgresql://u:swordfish@127.0.0.1:{free_port()}/x"
    done = small.call(*command, SYNCLINE_DATABASE_URL=url)
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "swordfish" not in done.stderr + done.stdout


def test_db_upgrade_is_all_an_operator_needs(small: Service, tmp_path: Path) -> None:
    """On an empty machine it makes folder and tables, also when run twice; Keystone is not asked."""
    url = f"sqlite:///{tmp_path / 'new' / 'deep' / 's.db'}"
    more = {"SYNCLINE_DATABASE_URL": url, "SYNCLINE_AUTH_STRATEGY": "keystone"}
    for _ in range(2):
        done = small.call("db", "upgrade", **more)
        assert done.returncode == 0, done.stderr
    assert small.call("db", "current", **more).stdout.strip().endswith("(head)")


def test_db_offers_the_words_of_the_original(small: Service) -> None:
    """Everything that the original's group knew can still be said."""
    text = small.call("db", "--help").stdout
    missing = [word for word in ORIGINAL_WORDS if f"  {word} " not in text]
    assert missing == []


def test_downgrade_takes_the_tables_back(small: Service) -> None:
    """The tables can be taken back to nothing and made again."""
    assert small.call("db", "downgrade", "base").returncode == 0
    assert small.call("db", "current").stdout.strip() == ""
    assert small.call("db", "upgrade").returncode == 0


def test_runserver_has_neither_debugger_nor_reloader(small: Service) -> None:
    """The development server takes the original's options and is never open to code from outside."""
    options = ["-t", "127.0.0.1", "-p", str(small.port), "--threaded", "-d", "-r", "--passthrough-errors"]
    server = small.start("runserver", *options)
    wait_until(small.answers, LIMIT_SECONDS, "an answer")
    answer = requests.get(f"{small.url}/console", timeout=10)
    assert answer.status_code == 404
    assert "Werkzeug Debugger" not in answer.text
    assert psutil.Process(server.pid).children() == []


def test_runserver_refuses_threads_and_processes_together(small: Service) -> None:
    """The two ways of answering several requests do not go together."""
    done = small.call("runserver", "--threaded", "--processes", "2")
    assert done.returncode == 2


def test_shell_has_the_parts(small: Service) -> None:
    """The prompt knows the application, its settings and its database."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "shell"],
        input="print(database, settings.api.port, app.name)\n",
        env=small.environment(),
        cwd=small.home,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_SECONDS,
    )
    assert done.returncode == 0
    assert f"Database(sqlite:///{small.home.parent}" in done.stdout
    assert f" {small.port} app" in done.stdout


def test_worker_serves_the_lanes_and_in_the_number_it_is_told(small: Service) -> None:
    """--workers and --lanes win over the settings; a worker in a region's lane does that region's work."""
    small.web()
    small.worker("--workers", "2", "--lanes", "region.Burgos")
    wait_until(lambda: len(small.workers()) == 2, LIMIT_SECONDS, "two workers")
    assert small.ended(small.post())["status"] == "synced"
    assert requests.get(f"{small.url}/readyz", timeout=10).status_code == 503


def test_worker_refuses_no_lane_at_all(small: Service) -> None:
    """An empty list of lanes is a slip, not a wish."""
    assert small.call("worker", "--lanes", " , ").returncode == 2


def test_beat_starts_what_is_scheduled(small: Service) -> None:
    """A schedule of kind region.sync synchronises regions without anybody asking."""
    (small.home / "syncline.cfg").write_text(
        '[schedule nightly]\nkind = region.sync\nevery = 1s\npayload = {"regions": ["*"]}\n', encoding="utf-8"
    )
    small.web()
    small.start("beat")
    small.worker("--workers", "1")
    wait_until(
        lambda: any(
            task["requester"] == "schedule" and task["status"] == "synced"
            for task in small.get("/tasks")["tasks"]
        ),
        LIMIT_SECONDS,
        "a scheduled task",
    )
    assert set(small.images("Burgos")) == {"one", "two", "three"}


def test_processes_end_when_their_supervisor_is_killed(small: Service) -> None:
    """No worker process outlives the supervisor that counts it."""
    worker = small.worker("--workers", "2")
    children = psutil.Process(worker.pid).children()
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    gone, alive = psutil.wait_procs(children, timeout=LIMIT_SECONDS)
    assert (len(gone), alive) == (3, [])


def test_help_is_quick_and_lists_the_service(small: Service) -> None:
    """The help needs neither Flask nor SQLAlchemy."""
    code = (
        "import sys; sys.argv=['run.py','--help']\n"
        "from app.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "gunicornserver" in done.stdout
