"""A real service over directories of images: gunicorn, and a worker where a test wants work done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from syncline_client import Client, SyncClientError

from app.sync.images.conf import load
from app.sync.images.model import Changes, Draft, RegionRef
from app.sync.images.stores.directory import DirectoryCloud
from tests.servers import free_port, wait_until

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 40.0
STOP_SECONDS = 20.0
MASTER = "Valladolid"
REGIONS = (MASTER, "Burgos", "Caceres", "Lost", "other:Madrid")
IMAGES = {"large": b"l" * 300_000, "small": b"s" * 10}
CONFIGURATION = f"""\
[main]
master_region = {MASTER}

[master]
credential = user,c2VjcmV0,http://server:5000/v3,tenant1

[other]
credential = user2,c2VjcmV0,http://server2:5000/v3,tenant2
"""


@dataclass(slots=True)
class Service:
    """One service in a directory of its own."""

    home: Path
    port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> Client:
        """A client without authentication."""
        return Client.noauth(self.url)

    def environment(self) -> dict[str, str]:
        """The settings, and nothing of the caller's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "SYNCLINE"))}
        return kept | {
            "SYNCLINE_STATE_DIR": str(self.home / "state"),
            "SYNCLINE_HOST": "127.0.0.1",
            "SYNCLINE_PORT": str(self.port),
            "SYNCLINE_AUTH_STRATEGY": "noauth",
            "SYNCLINE_WEB_WORKERS": "1",
            "SYNCLINE_WORKERS": "1",
            "SYNCLINE_CLOUD": f"directory:{self.home / 'regions'}",
            "SYNCLINE_CONFIG_FILE": str(self.home / "glancesync.conf"),
            **self.more,
        }

    def furnish(self) -> None:
        """Make the regions: a master with two images, the others empty."""
        (self.home / "state").mkdir(parents=True)
        conf = self.home / "glancesync.conf"
        conf.write_text(CONFIGURATION, encoding="utf-8")
        cloud = DirectoryCloud(self.home / "regions", load(conf, (), {}, need_credentials=False))
        for name in REGIONS:
            cloud.create_region(name)
        store = cloud.store(RegionRef("master", MASTER))
        for name, content in IMAGES.items():
            image = store.create_image(Draft(name, name, {}, disk_format="raw", container_format="bare"))
            store.write_data(image.id, [content], len(content))
            store.update_image(image.id, Changes(visibility="public"))

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call ``run.py`` to its end."""
        return subprocess.run(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            cwd=self.home,
            env=self.environment() | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextmanager
    def program(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """``run.py`` in the background; ended in good order."""
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            running = subprocess.Popen(
                [sys.executable, str(ROOT / "run.py"), *arguments],
                cwd=self.home,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()

    def answers(self) -> bool:
        """Whether the web process serves."""
        try:
            return bool(self.client.version().id)
        except SyncClientError:
            return False


@contextmanager
def serving(home: Path, *, worker: bool, **more: str) -> Iterator[Service]:
    """A running service, with a worker or without."""
    service = Service(home, more=more)
    service.furnish()
    migrated = service.run("db", "upgrade")
    assert migrated.returncode == 0, migrated.stderr
    with ExitStack() as stack:
        web = stack.enter_context(service.program("gunicornserver"))
        if worker:
            stack.enter_context(service.program("worker"))
        wait_until(lambda: service.answers() or web.poll() is not None, START_SECONDS, "the service's start")
        assert web.poll() is None, (home / "gunicornserver.log").read_text(encoding="utf-8")
        yield service
