"""``run.py backup`` and ``restore`` (spec images 7.7, 8.1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.sync.images.model import Changes
from tests.e2e.conftest import Backups, Directories, row


def names(directory: Path) -> list[str]:
    """File names in a directory, sorted."""
    return sorted(path.name for path in directory.iterdir())


def test_backup_saves_the_regions_and_the_master(directories: Directories) -> None:
    """Per region a line and two files in a directory named by the time; the master is always there."""
    done = directories.run("backup", "Burgos", "other:")
    assert done.lines == [
        "INFO:Backup of region Burgos",
        "INFO:Backup of region other:Madrid",
        "INFO:Backup of region Valladolid",
    ]
    assert (done.code, done.err) == (0, "")
    (made,) = directories.home.glob("backup_glance_*")
    assert re.fullmatch(r"backup_glance_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", made.name)
    assert names(made) == [
        f"backup_{region}.{kind}"
        for region in ("Burgos", "Valladolid", "other:Madrid")
        for kind in ("csv", "jsonl")
    ]


def test_backup_of_one_region_only(backups: Backups) -> None:
    """One region can be backed up into a directory of one's choice."""
    done = backups.run("backup", "--without-master", "--directory", "mine", "Burgos")
    assert done.lines == ["INFO:Backup of region Burgos"]
    assert names(backups.home / "mine") == ["backup_Burgos.csv", "backup_Burgos.jsonl"]


def test_backup_names_a_region_once(backups: Backups) -> None:
    """The master region given as an argument is not saved twice."""
    assert len(backups.run("backup", "--directory", "mine", "Valladolid").lines) == 1


def test_backup_of_a_broken_region_spares_the_others(backups: Backups) -> None:
    """A region that fails has its ERROR line and exit code 3; the next one is saved."""
    (backups.cloud / "backup_Burgos.csv").write_text("one,two\n")
    done = backups.run("backup", "--directory", "mine", "Burgos")
    assert done.lines == ["INFO:Backup of region Valladolid"]
    assert done.err.startswith("ERROR:Burgos: ")
    assert done.code == 3


def test_backup_json_names_directory_regions_and_errors(backups: Backups) -> None:
    """With --json a script learns where the files are and what is missing."""
    (backups.cloud / "backup_Burgos.csv").write_text("one,two\n")
    done = backups.run("backup", "--json", "--directory", "mine", "Burgos")
    assert done.document["directory"] == "mine"
    assert done.document["regions"] == ["Valladolid"]
    assert [(error["region"], error["code"]) for error in done.document["errors"]] == [
        ("Burgos", "invalid_data")
    ]


def test_backup_is_a_cloud_itself(directories: Directories) -> None:
    """The CSV files of a backup can be looked at with --cloud backup:DIR."""
    directories.run("backup", "--directory", "mine", "Burgos")
    done = Backups(directories.home, "backup").call(
        str(Path(__file__).parents[2] / "run.py"),
        *("status", "--cloud", "backup:mine", "--config-file", str(directories.conf), "Burgos"),
    )
    assert done.lines[:2] == ["pending_upload,Burgos,small", "pending_upload,Burgos,large"]


@pytest.fixture
def damaged(directories: Directories) -> Directories:
    """A region that has been saved, then changed in three ways."""
    kept = directories.add("Burgos", "kept", b"k", nid="1", type="x")
    gone = directories.add("Burgos", "gone", b"g")
    assert directories.run("backup", "--without-master", "--directory", "mine", "Burgos").code == 0
    store = directories.store("Burgos")
    store.update_image(
        kept.id,
        Changes(
            name="mistaken",
            visibility="private",
            set_properties={"nid": "2"},
            remove_properties=frozenset({"type"}),
        ),
    )
    store.delete_image(gone.id)
    return directories


def test_restore_sets_metadata_back_and_names_what_is_lost(damaged: Directories) -> None:
    """Name, visibility and properties are as saved again; an image that is gone is named, exit code 3."""
    done = damaged.run("restore", "mine")
    assert any(
        re.fullmatch(r"INFO:Burgos: image mistaken \(UUID \S+\) restored", line) for line in done.lines
    )
    assert any(line.startswith("WARNING:Burgos: image gone ") for line in done.lines)
    assert done.code == 3
    (image,) = damaged.images("Burgos").values()
    assert (image.name, image.visibility) == ("kept", "public")
    assert image.properties == {"nid": "1", "type": "x"}


def test_restore_twice_changes_nothing_more(damaged: Directories) -> None:
    """A second restore finds everything in place and writes nothing."""
    damaged.run("restore", "mine", "Burgos")
    before = damaged.files()
    done = damaged.run("restore", "mine", "Burgos")
    assert not any("restored" in line for line in done.lines)
    assert damaged.files() == before


def test_restore_dry_run_writes_nothing(damaged: Directories) -> None:
    """A dry run tells what would be restored."""
    before = damaged.files()
    done = damaged.run("restore", "--dry-run", "--json", "mine")
    (region,) = done.document["regions"]
    assert (region["region"], len(region["restored"]), len(region["lost"])) == ("Burgos", 1, 1)
    assert "would be restored" in done.err
    assert damaged.files() == before


@pytest.mark.parametrize(("content", "code"), [(None, 3), ("not json\n", 3)], ids=["no-file", "broken-file"])
def test_restore_from_a_broken_backup_writes_nothing(
    damaged: Directories, content: str | None, code: int
) -> None:
    """A backup that cannot be read leaves the region as it is, with one line."""
    (damaged.home / "mine" / "backup_Burgos.csv").unlink()
    lines = damaged.home / "mine" / "backup_Burgos.jsonl"
    lines.unlink() if content is None else lines.write_text(content)
    (damaged.home / "mine" / "backup_Caceres.csv").touch()
    before = damaged.files()
    done = damaged.run("restore", "mine", "Burgos")
    assert done.code in (code, 2)
    assert done.err.startswith("ERROR:")
    assert damaged.files() == before


def test_restore_needs_a_backup(backups: Backups) -> None:
    """A directory without a backup is wrong usage."""
    (backups.home / "empty").mkdir()
    done = backups.run("restore", "empty")
    assert done.code == 2
    assert "no backup" in done.err


def test_restore_skips_images_of_other_projects(backups: Backups) -> None:
    """Images that belong to somebody else are neither set back nor reported as lost."""
    backups.region("Burgos", [row("theirs", "9", region="Burgos", owner="somebody")])
    backups.run("backup", "--directory", "mine", "Burgos")
    backups.region("Burgos", [row("changed", "9", region="Burgos", owner="somebody")])
    before = backups.files()
    done = backups.run("restore", "mine", "Burgos")
    assert (done.code, done.out) == (0, "")
    assert backups.files() == before
