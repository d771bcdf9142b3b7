"""Golden scenarios (spec images 11): listing, status before, synchronisation, result, status after."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from app.sync.events import Noticed
from app.sync.images import conf
from app.sync.images.service import ImageService
from app.sync.images.stores.backup import BackupCloud, read_backup
from app.sync.status import Level

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {"own": ROOT / "tests" / "scenarios", "shared": ROOT.parent / "shared" / "scenarios"}


def scenarios():
    """(folder, name, description) of every scenario that is there."""
    for label, folder in FOLDERS.items():
        index = folder / "index.json"
        if not index.is_file():
            reason = f"no golden scenarios in {folder.parent.name}/{folder.name} beside the checkout"
            yield pytest.param(folder, "", {}, id=label, marks=pytest.mark.skip(reason=reason))
            continue
        described = json.loads(index.read_text(encoding="utf-8"))["scenarios"]
        for name, description in described.items():
            yield pytest.param(folder, name, description, id=f"{label}-{name}")


class Scenario:
    """A scenario copied to a scratch folder, with a service on it."""

    def __init__(self, folder: Path, name: str, description: dict, scratch: Path) -> None:
        self.folder, self.name = folder, name
        self.place = scratch / name
        shutil.copytree(folder / name, self.place)
        settings = conf.load(folder / description["config"], (), {}, need_credentials=False)
        self.warnings: list[str] = []
        self.service = ImageService(settings, BackupCloud(self.place, settings), listener=self._listen)
        self.regions = self.service.resolve(description["regions"])

    def _listen(self, event) -> None:
        if isinstance(event, Noticed) and event.notice.level is Level.WARNING:
            self.warnings.append(event.notice.message)

    def statuses(self) -> dict[str, list[list[str]]]:
        """Rows of the status report by region."""
        return {
            region.full: [[str(p.item.status), region.full, p.item.name] for p in plan.images]
            for region, plan in self.service.statuses(self.regions)
        }

    def expected_statuses(self, suffix: str) -> dict[str, list[list[str]]]:
        """The golden rows by region."""
        return {
            region.full: [
                row
                for row in csv.reader(
                    (self.folder / f"{self.name}.{suffix}" / f"{region.full}.csv").open(newline="")
                )
                if row
            ]
            for region in self.regions
        }

    def content(self, folder: Path) -> dict[str, dict[str, object]]:
        """Every image of every region, by region and id."""
        found = {}
        for path in sorted(folder.glob("backup_*.csv")):
            region = path.name.removeprefix("backup_").removesuffix(".csv")
            found[region] = {image.id: image for image in read_backup(path, region)}
        return found


@pytest.mark.parametrize(("folder", "name", "description"), list(scenarios()))
def test_scenario(folder, name, description, tmp_path):
    """Status before, all images of all regions after a synchronisation, and status after are as recorded."""
    scenario = Scenario(folder, name, description, tmp_path)
    assert scenario.statuses() == scenario.expected_statuses("status_pre")
    scenario.service.sync(scenario.regions)
    assert scenario.content(scenario.place) == scenario.content(folder / f"{name}.result")
    assert scenario.statuses() == scenario.expected_statuses("status_post")
    if "warnings" in description:
        told = [notice.message for notice in scenario.service.catalog().notices] + scenario.warnings
        assert len(told) == description["warnings"], told


@pytest.mark.parametrize(("folder", "name", "description"), list(scenarios()))
def test_second_run_changes_nothing(folder, name, description, tmp_path):
    """Running it twice is the same as running it once."""
    scenario = Scenario(folder, name, description, tmp_path)
    scenario.service.sync(scenario.regions)
    files = {path.name: path.read_bytes() for path in scenario.place.glob("*.csv")}
    again = ImageService(scenario.service.settings, scenario.service.cloud)
    reports = again.sync(scenario.regions)
    assert {path.name: path.read_bytes() for path in scenario.place.glob("*.csv")} == files
    assert not [o for report in reports for o in report.outcomes if o.item.status.is_pending]


@pytest.mark.parametrize(("folder", "name", "description"), list(scenarios()))
def test_dry_run_writes_nothing(folder, name, description, tmp_path):
    """A dry run leaves every byte and every time stamp as it was (PR2)."""
    scenario = Scenario(folder, name, description, tmp_path)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in scenario.place.iterdir()}
    scenario.service.sync(scenario.regions, dry_run=True)
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in scenario.place.iterdir()} == before
