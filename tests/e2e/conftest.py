"""The real command line over folders of backup files and over directories of real images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.sync.images.conf import load
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.backup import write_backup
from app.sync.images.stores.directory import DirectoryCloud, DirectoryStore

ROOT = Path(__file__).resolve().parents[2]
RUN = str(ROOT / "run.py")
SYNC = str(ROOT / "sync.py")
LIMIT_SECONDS = 60
OURS = "tenant1id"
CONFIGURATION = """\
[main]
master_region = Valladolid
max_children = 3

[master]
credential = user,c2VjcmV0LXdvcmQ=,http://server:5000/v3,tenant1

[other]
credential = user2,c2VjcmV0LXdvcmQ=,http://server2:5000/v3,tenant2
metadata_set = type
"""


@dataclass(frozen=True, slots=True)
class Done:
    """What a call of the program came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines of standard output."""
        return self.out.splitlines()

    @property
    def document(self) -> dict:
        """The JSON document on standard output."""
        return json.loads(self.out)


def row(name: str, image_id: str = "1", *, region: str = "Valladolid", **more: object) -> Image:
    """An active public image of the project of target master."""
    settings: dict[str, object] = {
        "size": 1024,
        "checksum": f"sum-{name}",
        "owner": OURS,
        "visibility": "public",
    }
    return Image(region, image_id, name, **(settings | more))  # type: ignore[arg-type]


@dataclass(slots=True)
class Place:
    """A directory with a configuration, a cloud and the program to run on it."""

    home: Path
    kind: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def cloud(self) -> Path:
        """Directory of the regions."""
        return self.home / "regions"

    @property
    def conf(self) -> Path:
        """The configuration file."""
        return self.home / "glancesync.conf"

    def options(self) -> list[str]:
        """Options that every call needs."""
        return ["--cloud", f"{self.kind}:{self.cloud}", "--config-file", str(self.conf)]

    def start(self, program: str, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start a program in the place, without the caller's configuration."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OS_", "GLANCESYNC"))}
        return subprocess.Popen(
            [sys.executable, program, *arguments],
            cwd=self.home,
            env={**kept, **self.environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            stdin=subprocess.PIPE,
        )

    def call(self, program: str, *arguments: str, text: str = "") -> Done:
        """Run a program to its end."""
        running = self.start(program, *arguments)
        try:
            out, err = running.communicate(text.encode(), timeout=LIMIT_SECONDS)
        finally:
            running.kill()
        return Done(running.returncode, out.decode(), err.decode())

    def unread(self, program: str, *arguments: str) -> Done:
        """Run a program whose standard output nobody reads any more."""
        reader, writer = os.pipe()
        os.close(reader)
        running = self.start(program, *arguments, *self.options(), stdout=writer)
        os.close(writer)
        try:
            _, err = running.communicate(timeout=LIMIT_SECONDS)
        finally:
            running.kill()
        return Done(running.returncode, "", err.decode())

    def run(self, command: str, *arguments: str, text: str = "") -> Done:
        """``run.py`` with a command (blank separated words) over this place's cloud."""
        return self.call(RUN, *command.split(), *self.options(), *arguments, text=text)

    def sync(self, *arguments: str) -> Done:
        """The drop-in over this place's cloud."""
        return self.call(SYNC, *self.options(), *arguments)

    def files(self) -> dict[str, bytes]:
        """Every file of the regions with its content."""
        paths = (path for path in self.cloud.rglob("*") if path.is_file())
        return {str(path.relative_to(self.cloud)): path.read_bytes() for path in paths}


class Backups(Place):
    """Regions that are backup files: names, sizes and checksums without data."""

    def region(self, name: str, images: Iterable[Image] = ()) -> None:
        """Write a region's file."""
        write_backup(self.cloud / f"backup_{name}.csv", images)

    def names(self, region: str) -> list[str]:
        """Image names of a region, as listed."""
        text = (self.cloud / f"backup_{region}.csv").read_text(encoding="utf-8")
        return [line.split(",")[1] for line in text.splitlines()]


class Directories(Place):
    """Regions that are directories of real image files."""

    def _cloud(self) -> DirectoryCloud:
        return DirectoryCloud(self.cloud, load(self.conf, (), {}, need_credentials=False))

    def store(self, region: str) -> DirectoryStore:
        """A region's store, made if it is not there."""
        target, colon, name = region.partition(":")
        cloud = self._cloud()
        cloud.create_region(region)
        return cloud.store(RegionRef(target, name) if colon else RegionRef("master", region))

    def add(self, region: str, name: str, content: bytes, **properties: str) -> Image:
        """Make a public image."""
        store = self.store(region)
        image = store.create_image(Draft(name, name, properties))
        store.write_data(image.id, [content], len(content))
        return store.update_image(image.id, Changes(visibility="public"))

    def images(self, region: str) -> dict[str, Image]:
        """Image name -> image."""
        return {image.name or "": image for image in self.store(region).list_images()}


def _furnish(place: Place) -> None:
    place.cloud.mkdir()
    place.conf.write_text(CONFIGURATION, encoding="utf-8")


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    """A master with three images, Burgos with one of them, other:Madrid empty."""
    place = Backups(tmp_path, "backup")
    _furnish(place)
    place.region(
        "Valladolid", [row("small", "1", size=10), row("kernel, 6.1", "2"), row("big", "3", size=3 << 20)]
    )
    place.region("Burgos", [row("small", "11", region="Burgos", size=10)])
    place.region("other:Madrid")
    return place


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    """A master with two images, Burgos and other:Madrid empty."""
    place = Directories(tmp_path, "directory")
    _furnish(place)
    place.add("Valladolid", "small", b"s" * 10, type="x")
    place.add("Valladolid", "large", b"l" * 3_000_000, type="x")
    place.store("Burgos")
    place.store("other:Madrid")
    return place
