"""Build the demo's regions as directories of real files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.sync.images.conf import load
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.base import ImageStore
from app.sync.images.stores.directory import DirectoryCloud
from demo.contents import FORCED, MASTER, MASTER_IMAGES, OTHER_IMAGES, REGIONS, Sample, configuration, pieces


@dataclass(frozen=True, slots=True)
class Federation:
    """Where the demo's files are."""

    home: Path

    @property
    def cloud(self) -> Path:
        """Directory of the regions."""
        return self.home / "cloud"

    @property
    def settings(self) -> Path:
        """The configuration file."""
        return self.home / "glancesync.conf"


def _region(full: str) -> RegionRef:
    target, colon, name = full.partition(":")
    return RegionRef(target, name) if colon else RegionRef("master", full)


def _make(store: ImageStore, sample: Sample, ids: Mapping[str, str]) -> Image:
    references = {key: ids[name] for key, name in sample.refers.items()}
    properties = {**sample.properties, **references}
    draft = Draft(sample.name, sample.name, properties, disk_format="raw", container_format="bare")
    image = store.create_image(draft)
    store.write_data(image.id, pieces(sample), sample.size_bytes)
    return store.update_image(image.id, Changes(visibility=sample.visibility))


def _fill(store: ImageStore, samples: Iterable[Sample]) -> dict[str, str]:
    """Make the images in order; image name -> id."""
    ids: dict[str, str] = {}
    for sample in samples:
        ids[sample.name] = _make(store, sample, ids).id
    return ids


def _clear(federation: Federation) -> None:
    """Remove what an earlier demo made, and nothing else that may lie there."""
    for directory in (federation.cloud, *federation.home.glob("sync_*")):
        if directory.is_dir():
            shutil.rmtree(directory)


def build(home: Path) -> Federation:
    """Make the regions anew, and the configuration that fits them."""
    federation = Federation(home)
    _clear(federation)
    federation.cloud.mkdir(parents=True)
    federation.settings.write_text(configuration(""), encoding="utf-8")
    cloud = DirectoryCloud(federation.cloud, load(federation.settings, (), {}, need_credentials=False))
    for name in REGIONS:
        cloud.create_region(name)
    ids = _fill(cloud.store(_region(MASTER)), MASTER_IMAGES)
    for name, samples in OTHER_IMAGES.items():
        _fill(cloud.store(_region(name)), samples)
    federation.settings.write_text(configuration(ids[FORCED]), encoding="utf-8")
    return federation
