"""Golden scenarios (spec images 11), planned and carried out without any store."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from app.sync.images import conf
from app.sync.images.catalog import build_catalog
from app.sync.images.conf.model import Policy, Settings
from app.sync.images.model import Image, Snapshot
from app.sync.images.plan import RegionPlan
from app.sync.images.planner import plan_region
from app.sync.images.stores.backup import read_backup
from tests.unit.images.builders import apply_plan, by_id, warnings

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = {"own": ROOT / "tests" / "scenarios", "shared": ROOT.parent / "shared" / "scenarios"}


def scenarios(*needed: str) -> list[object]:
    """Parameters of every scenario whose description has the needed entries."""
    return [
        param for param in all_scenarios() if all(key in param.values[2] for key in needed) or param.marks
    ]


def all_scenarios() -> Iterator[ParameterSet]:
    """(folder, name, description) of every scenario; a missing shared folder is a skip that says so."""
    for label, folder in FOLDERS.items():
        index = folder / "index.json"
        if label == "shared" and not index.is_file():
            mark = pytest.mark.skip(reason="the shared golden scenarios are not beside this checkout")
            yield pytest.param(folder, "", {}, id=label, marks=mark)
            continue
        for name, description in json.loads(index.read_text(encoding="utf-8"))["scenarios"].items():
            yield pytest.param(folder, name, description, id=f"{label}-{name}")


@dataclass
class World:
    """The listings of a scenario's regions, in memory."""

    settings: Settings
    images: dict[str, tuple[Image, ...]]

    @classmethod
    def read(cls, folder: Path, config: Path) -> World:
        """The listings of a scenario folder."""
        settings = conf.load(config, (), {}, need_credentials=False)
        return cls(settings, read_folder(folder))

    def policy(self, region: str) -> Policy:
        return self.settings.targets[target_of(region)].policy

    def snapshot(self, region: str) -> Snapshot:
        project = self.settings.targets[target_of(region)].project_hint
        return Snapshot(region, project, self.images[region])

    def plan(self, region: str) -> RegionPlan:
        catalog = build_catalog(self.snapshot(self.settings.master_region))
        return plan_region(catalog, self.snapshot(region), self.policy(region))

    def sync(self, region: str) -> list[str]:
        """Carry out the region's plan; its warnings."""
        made = self.plan(region)
        self.images[region] = apply_plan(made, self.snapshot(region), self.policy(region)).images
        return warnings(made)


def read_folder(folder: Path) -> dict[str, tuple[Image, ...]]:
    """Images by full region name."""
    regions = {p.name.removeprefix("backup_").removesuffix(".csv"): p for p in folder.glob("backup_*.csv")}
    return {region: tuple(read_backup(path, region)) for region, path in regions.items()}


def target_of(region: str) -> str:
    """The target that a full region name belongs to."""
    target, colon, _ = region.partition(":")
    return target if colon else "master"


def comparable(images: Mapping[str, tuple[Image, ...]]) -> dict[str, dict[str, Image]]:
    """Images by region and id, with what the nine columns of a golden file hold."""
    return {
        region: {
            image_id: replace(image, name=image.name or None, hash_algo=None, hash_value=None)
            for image_id, image in by_id(found).items()
        }
        for region, found in images.items()
    }


def golden_rows(folder: Path, region: str) -> list[tuple[str, str, str]]:
    """(status, region, name) rows of a recorded status file."""
    with (folder / f"{region}.csv").open(encoding="utf-8", newline="") as lines:
        return [(row[0], row[1], row[2]) for row in csv.reader(lines) if row]


def rows(plan: RegionPlan) -> list[tuple[str, str, str]]:
    """(status, region, name) rows of a plan."""
    return [(str(row.item.status), row.item.region, row.item.name) for row in plan.images]


def full_names(description: Mapping[str, list[str]]) -> list[str]:
    """Full names of the regions that a scenario synchronises, in order."""
    return [region.removeprefix("master:") for region in description["regions"]]


@pytest.mark.parametrize(("folder", "name", "description"), scenarios())
def test_status_before(folder: Path, name: str, description: dict) -> None:
    """The status of every region before a synchronisation is as recorded, order of rows included."""
    world = World.read(folder / name, folder / description["config"])
    for region in full_names(description):
        assert rows(world.plan(region)) == golden_rows(folder / f"{name}.status_pre", region)


@pytest.mark.parametrize(("folder", "name", "description"), scenarios())
def test_result_and_status_after(folder: Path, name: str, description: dict) -> None:
    """Once the plans are carried out, every image of every region and every status are as recorded."""
    world = World.read(folder / name, folder / description["config"])
    for region in full_names(description):
        world.sync(region)
    assert comparable(world.images) == comparable(read_folder(folder / f"{name}.result"))
    for region in full_names(description):
        assert rows(world.plan(region)) == golden_rows(folder / f"{name}.status_post", region)


@pytest.mark.parametrize(("folder", "name", "description"), scenarios())
def test_second_plan_needs_nothing(folder: Path, name: str, description: dict) -> None:
    """After a synchronisation nothing is pending and no retired image is left to write."""
    world = World.read(folder / name, folder / description["config"])
    for region in full_names(description):
        world.sync(region)
        again = world.plan(region)
        assert not [row for row in again.images if row.item.status.is_pending]
        assert not [*again.obsolete, *again.unfinished, *again.partials, *again.deactivate]


@pytest.mark.parametrize(("folder", "name", "description"), scenarios("warnings"))
def test_warnings(folder: Path, name: str, description: dict) -> None:
    """One synchronisation of all regions warns once per cause, and without a cause not at all."""
    world = World.read(folder / name, folder / description["config"])
    said = warnings(build_catalog(world.snapshot(world.settings.master_region)))
    for region in full_names(description):
        said += world.sync(region)
    assert len(said) == description["warnings"], said
    assert len(set(said)) == len(said)


@pytest.mark.skipif(not FOLDERS["shared"].is_dir(), reason="the shared golden scenarios are not there")
def test_checksum_conflict_names_the_checksum() -> None:
    """The one warning of the scenario about conflicts names image05's checksum."""
    folder = FOLDERS["shared"]
    world = World.read(folder / "checksum", folder / "checksum" / "config")
    (said,) = world.sync("Burgos")
    assert "Image image05 has a different checksum (ch5) in region Burgos" in said


def test_every_scenario_is_listed() -> None:
    """No scenario of ours lies about unused, and none is half-recorded."""
    folder = FOLDERS["own"]
    described = json.loads((folder / "index.json").read_text(encoding="utf-8"))["scenarios"]
    suffixes = ("", ".result", ".status_pre", ".status_post")
    expected = {name + suffix for name in described for suffix in suffixes}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == expected
