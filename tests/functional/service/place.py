"""A service with a directory cloud: real processes on a free port, everything in one folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from app.db import Database
from app.schema import upgrade
from app.sync.images.conf import load
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.base import CHUNK_BYTES
from app.sync.images.stores.directory import DirectoryCloud, DirectoryStore
from tests.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]
MASTER = "Valladolid"
START_SECONDS = 40.0
END_SECONDS = 60.0
LOCK = ".lock"
CONFIGURATION = f"""\
[main]
master_region = {MASTER}

[DEFAULT]
tenant_id = ours
only_tenant_images = false
"""


@dataclass
class Service:
    """One service: where its files are, how it is started and asked."""

    home: Path
    database_url: str
    options: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.cloud.mkdir(exist_ok=True)
        self.conf.write_text(CONFIGURATION, encoding="utf-8")
        (self.home / "syncline.cfg").write_text("", encoding="utf-8")
        for region in (MASTER, "Burgos"):
            self.directory_cloud.create_region(region)

    @property
    def cloud(self) -> Path:
        """Directory of the regions."""
        return self.home / "cloud"

    @property
    def conf(self) -> Path:
        """The image configuration."""
        return self.home / "glancesync.conf"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def directory_cloud(self) -> DirectoryCloud:
        """The regions."""
        return DirectoryCloud(self.cloud, load(self.conf, (), {}, need_credentials=False))

    def store(self, region: str) -> DirectoryStore:
        """A region's store, made if it is not there."""
        self.directory_cloud.create_region(region)
        return self.directory_cloud.store(RegionRef("master", region))

    def add(self, region: str, name: str, size_bytes: int = 10) -> Image:
        """Make a public image of zero bytes."""
        store = self.store(region)
        image = store.create_image(Draft(name, name, {}, disk_format="raw", container_format="bare"))
        chunk = bytes(min(size_bytes, 1 << 20))
        pieces = (chunk[: min(len(chunk), size_bytes - at)] for at in range(0, size_bytes, len(chunk) or 1))
        store.write_data(image.id, pieces, size_bytes)
        return store.update_image(image.id, Changes(visibility="public"))

    def images(self, region: str) -> dict[str, list[Image]]:
        """Image name -> images of that name."""
        found: dict[str, list[Image]] = {}
        for image in self.store(region).list_images():
            found.setdefault(image.name or "", []).append(image)
        return found

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of its processes."""
        foreign = ("SYNCLINE_", "GLANCESYNC", "OS_", "PROMETHEUS_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        own = {
            "SYNCLINE_SETTINGS_FILE": str(self.home / "syncline.cfg"),
            "SYNCLINE_STATE_DIR": str(self.home / "state"),
            "SYNCLINE_DATABASE_URL": self.database_url,
            "SYNCLINE_AUTH_STRATEGY": "noauth",
            "SYNCLINE_PORT": str(self.port),
            "SYNCLINE_CLOUD": f"directory:{self.cloud}",
            "SYNCLINE_CONFIG_FILE": str(self.conf),
            "SYNCLINE_LEASE_SECONDS": "3",
            "SYNCLINE_HEARTBEAT_SECONDS": "0.5",
            "SYNCLINE_STOP_GRACE_SECONDS": "2",
            "SYNCLINE_WEB_GRACE_SECONDS": "5",
        }
        return {**kept, **own, **self.options, **more}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start ``run.py`` with these arguments; its output goes to ``<first argument>.log``."""
        with (self.home / f"{arguments[0]}.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), *arguments],
                cwd=self.home,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    def call(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run ``run.py`` with these arguments to its end."""
        return subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            cwd=self.home,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=END_SECONDS,
        )

    def sync(self, *arguments: str) -> list[str]:
        """Arguments of ``run.py`` for a sync by the command line."""
        return ["sync", "--cloud", f"directory:{self.cloud}", "--config-file", str(self.conf), *arguments]

    def log(self, name: str) -> str:
        """What a kind of process has written."""
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def web(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start the web processes and wait until they answer."""
        process = self.start("gunicornserver", *arguments, **more)
        wait_until(self.answers, START_SECONDS, f"an answer of {self.url}")
        return process

    def worker(self, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it has said so."""
        before = len(self.workers())
        process = self.start("worker", *arguments, **more)
        wait_until(lambda: len(self.workers()) > before, START_SECONDS, "a worker")
        return process

    def workers(self) -> list[str]:
        """Names of the workers in the table."""
        from sqlalchemy import text

        database = Database(self.database_url)
        try:
            with database.read() as session:
                return list(session.scalars(text("SELECT DISTINCT worker FROM worker_lanes")))
        finally:
            database.dispose()

    def answers(self) -> bool:
        """Whether somebody listens at its address and says that he is alive."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def get(self, path: str, **query: str) -> Any:
        """The body of a GET that succeeds."""
        answer = requests.get(f"{self.url}{path}", params=query, timeout=30)
        assert answer.ok, answer.text
        return answer.json()

    def post(self, region: str = "Burgos", **body: object) -> str:
        """Start a task; its id."""
        answer = requests.post(f"{self.url}/regions/{region}", json=body or None, timeout=30)
        assert answer.ok, answer.text
        return str(answer.json()["taskId"])

    def task(self, task_id: str, region: str = "Burgos") -> dict[str, Any]:
        """A task with its items."""
        found: dict[str, Any] = self.get(f"/regions/{region}/tasks/{task_id}", items="true")
        return found

    def ended(self, task_id: str, region: str = "Burgos", seconds: float = END_SECONDS) -> dict[str, Any]:
        """The task once it has ended."""
        wait_until(
            lambda: self.task(task_id, region)["status"] != "syncing",
            seconds,
            f"the end of task {task_id}",
            0.05,
        )
        return self.task(task_id, region)

    def stray_files(self, region: str) -> list[str]:
        """Files of a region that belong to no image."""
        known = {image.id for images in self.images(region).values() for image in images}
        files = [path for path in (self.cloud / region).iterdir() if path.is_file()]
        return sorted(
            path.name for path in files if path.name != LOCK and path.name.partition(".")[0] not in known
        )

    def incoming_bytes(self, region: str) -> int:
        """How much of an image's content has come so far that no listing shows yet."""
        with os.scandir(self.cloud / region) as listing:
            names = [entry.name for entry in listing if entry.name.startswith(".") and entry.name != LOCK]
        total = 0
        for name in names:
            # It may have got its real name meanwhile.
            with suppress(FileNotFoundError):
                total += (self.cloud / region / name).stat().st_size
        return total

    def freeze_upload(self, process: subprocess.Popen[bytes], region: str = "Burgos") -> None:
        """Stop the process, with all that it started, as soon as it writes an image's content."""
        wait_until(
            lambda: self.incoming_bytes(region) >= CHUNK_BYTES or process.poll() is not None,
            END_SECONDS,
            "an upload",
            0.001,
        )
        assert process.poll() is None, "\n".join(path.read_text()[-2000:] for path in self.home.glob("*.log"))
        for each in family(process):
            each.suspend()
        assert self.incoming_bytes(region) >= CHUNK_BYTES

    def kill_all(self) -> None:
        """End whatever still runs, at once, children included."""
        for process in self.started:
            for each in family(process):
                kill(each)
            process.wait()


def family(process: subprocess.Popen[bytes]) -> Sequence[psutil.Process]:
    """The process with all that it has started."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def thaw(process: subprocess.Popen[bytes]) -> None:
    """Let it go on."""
    for each in family(process):
        each.resume()


def kill(process: psutil.Process) -> None:
    """Send SIGKILL; one that is gone already is no error."""
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


@contextmanager
def service(home: Path, database_url: str, **options: str) -> Iterator[Service]:
    """A service whose tables are there and of which nothing runs yet."""
    made = Service(home, database_url, options)
    upgrade(database_url)
    try:
        yield made
    finally:
        made.kill_all()
