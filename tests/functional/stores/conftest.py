"""Both local clouds behind one handle, so that one suite can hold them to the same contract."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.sync.images.conf.model import Policy, Settings, Target
from app.sync.images.model import Draft, Image, RegionRef
from app.sync.images.stores.backup import BackupCloud, csv_path
from app.sync.images.stores.base import ImageStore, RecordsContent
from app.sync.images.stores.directory import DirectoryCloud

REPOSITORY = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("worker.py")
CONTENT = b"some image content"


@dataclass(frozen=True)
class Place:
    """A cloud of one kind below a directory of the test."""

    kind: str
    root: Path
    settings: Settings

    @property
    def cloud(self) -> DirectoryCloud | BackupCloud:
        made = DirectoryCloud if self.kind == "directory" else BackupCloud
        return made(self.root, self.settings)

    def add_region(self, name: str) -> None:
        if self.kind == "directory":
            DirectoryCloud(self.root, self.settings).create_region(name)
        else:
            csv_path(self.root, name).touch()

    def remove_region(self, name: str) -> None:
        if self.kind == "directory":
            for file in (self.root / name).iterdir():
                file.unlink()
            (self.root / name).rmdir()
        else:
            csv_path(self.root, name).unlink()

    def store(self, region: str = "Burgos", target: str = "master") -> ImageStore:
        return self.cloud.store(RegionRef(target, region))

    def fill(self, store: ImageStore, image_id: str, content: bytes = CONTENT) -> None:
        """Make an image active the way the engine does for this kind of store."""
        if isinstance(store, RecordsContent):
            checksum = hashlib.md5(content).hexdigest()
            store.record_content(
                image_id, Image("Valladolid", "1", "x", size=len(content), checksum=checksum)
            )
        else:
            store.write_data(image_id, [content], len(content))

    def leftovers(self) -> list[str]:
        """Names of temporary files anywhere below the root."""
        return sorted(path.name for path in self.root.rglob(".tmp-*"))


@pytest.fixture
def settings() -> Settings:
    """Two targets with a project each."""
    targets = {
        "master": Target("master", Policy(), tenant_id="tenant1id"),
        "other": Target("other", Policy(), tenant_id="tenant2id"),
    }
    return Settings(master_region="Valladolid", targets=targets)


@pytest.fixture(params=["directory", "backup"])
def place(request: pytest.FixtureRequest, tmp_path: Path, settings: Settings) -> Place:
    """An empty cloud of each kind with the region Burgos."""
    place = Place(request.param, tmp_path, settings)
    place.add_region("Burgos")
    return place


@pytest.fixture
def directory(tmp_path: Path, settings: Settings) -> Place:
    """A directory cloud with the region Burgos."""
    place = Place("directory", tmp_path, settings)
    place.add_region("Burgos")
    return place


@pytest.fixture
def backup(tmp_path: Path, settings: Settings) -> Place:
    """A backup folder with the empty region Burgos."""
    place = Place("backup", tmp_path, settings)
    place.add_region("Burgos")
    return place


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """Drafts with a temporary name derived from the final one."""

    def make(name: str = "debian-12", **fields: object) -> Draft:
        fields.setdefault("properties", {"type": "baseimage"})
        return Draft(name=name, temporary_name=f"syncline-partial-{name}", **fields)

    return make


@pytest.fixture
def worker() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start real processes that work in a cloud; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def start(place: Place, action: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(WORKER), place.kind, str(place.root), action, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
