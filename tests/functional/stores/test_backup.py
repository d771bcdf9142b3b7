"""The backup store's own promises: rows changed in place, as the original's stand-in for a cloud did."""

from __future__ import annotations

import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidDataError, StoreError, UnknownRegionError
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.backup import (
    BackupCloud,
    csv_path,
    read_backup,
    read_json_backup,
    write_backup,
)
from app.sync.images.stores.base import ImageStore

from .conftest import Place

Drafts = Callable[..., Draft]
ROWS = (
    "Burgos,image01,101,active,1000,c1,tenant1id,True,\"{'type': 'ngimages', 'nid': 1}\"\r\n"
    "Burgos,image02,102,queued,,,,False,{}\r\n"
    'Burgos,"a, ""b""",103,active,3,c3,tenant9id,False,{\'type\': \'baseimage\'}\r\n'
)


@pytest.fixture
def filled(backup: Place) -> Place:
    """A backup folder whose region Burgos holds ``ROWS``."""
    csv_path(backup.root, "Burgos").write_bytes(ROWS.encode())
    return backup


def text(place: Place) -> str:
    """The region's file as it is now."""
    return csv_path(place.root, "Burgos").read_bytes().decode()


def test_rows_are_read_as_images(filled: Place) -> None:
    """Each row is an image with number values kept and empty cells unknown."""
    first, second, third = filled.store().list_images()
    assert first == Image(
        region="Burgos",
        id="101",
        name="image01",
        size=1000,
        checksum="c1",
        owner="tenant1id",
        visibility="public",
        properties={"type": "ngimages", "nid": 1},
    )
    assert (second.status, second.size, second.checksum, second.owner) == ("queued", None, None, None)
    assert (third.name, third.owner) == ('a, "b"', "tenant9id")


def test_a_change_keeps_all_other_text(filled: Place) -> None:
    """A change of one row leaves the others, byte for byte, and their order."""
    filled.store().update_image("102", Changes(visibility="public", set_properties={"nid": 5}))
    lines, expected = text(filled).splitlines(keepends=True), ROWS.splitlines(keepends=True)
    assert lines[0] == expected[0]
    assert lines[1] == "Burgos,image02,102,queued,,,,True,{'nid': 5}\r\n"
    assert lines[2] == expected[2]


def test_new_rows_stand_at_the_end(filled: Place, draft: Drafts) -> None:
    """A new image is the last row, with the final name in its id and the temporary one as name."""
    image = filled.store().create_image(draft("image03", properties={}))
    assert image.id == "1$image03"
    new = "Burgos,syncline-partial-image03,1$image03,queued,,,tenant1id,False,{}\r\n"
    assert text(filled) == ROWS + new


def test_ids_take_the_first_free_number(backup: Place, draft: Drafts) -> None:
    """The number in an id is the lowest that the region does not use for this name."""
    store = backup.store()
    ids = [store.create_image(draft("kernel")).id for _ in range(3)]
    store.delete_image("2$kernel")
    ids += [store.create_image(draft("kernel")).id, store.create_image(draft("other")).id]
    assert ids == ["1$kernel", "2$kernel", "3$kernel", "2$kernel", "1$other"]


def test_content_is_the_sources_size_and_checksum(backup: Place, draft: Drafts) -> None:
    """Recording content copies size and checksum and makes the image active, without any data."""
    store = backup.store()
    image_id = store.create_image(draft()).id
    source = Image("Valladolid", "001", "x", size=None, checksum="abc", hash_algo="sha512", hash_value="d")
    store.record_content(image_id, source)
    image = store.get_image(image_id)
    assert (image.status, image.size, image.checksum, image.hash_value) == ("active", None, "abc", None)


@pytest.mark.parametrize("visibility", ["public", "private", "shared", "community"])
def test_visibility_is_public_or_private(filled: Place, visibility: str) -> None:
    """The file knows public and not public only, and the answer of an update says what is kept."""
    answer = filled.store().update_image("101", Changes(visibility=visibility, min_disk=5, hidden=True))
    assert answer.visibility == ("public" if visibility == "public" else "private")
    assert (answer.min_disk, answer.hidden) == (0, False)
    assert filled.store().get_image("101") == answer


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store: store.read_data("101"), id="read"),
        pytest.param(lambda store: store.write_data("101", [b"x"], 1), id="write"),
    ],
)
def test_a_backup_has_no_data(filled: Place, call: Callable[[ImageStore], object]) -> None:
    """Asking a backup for data is an error that says so, and changes nothing."""
    with pytest.raises(StoreError, match=r"no content.*'101'"):
        call(filled.store())
    assert text(filled) == ROWS


def test_only_backup_files_are_regions(backup: Place, draft: Drafts) -> None:
    """Files of other names are no regions, and a region without file is not made by writing to it."""
    for name in ("Caceres.csv", "backup_Lugo.jsonl", "backup_.csv", "notes.txt", "backup_.hidden.csv"):
        (backup.root / name).touch()
    assert backup.cloud.region_names("master") == ["Burgos"]
    with pytest.raises(UnknownRegionError, match=r"backup_Caceres\.csv"):
        backup.store("Caceres").create_image(draft())
    assert not csv_path(backup.root, "Caceres").exists()


def test_broken_row_stops_every_call(filled: Place, draft: Drafts) -> None:
    """A file with a bad row is neither listed nor rewritten; file, line and column are named."""
    broken = ROWS.replace("{}", "__import__('os').abort()")
    csv_path(filled.root, "Burgos").write_bytes(broken.encode())
    store = filled.store()
    for call in (
        lambda: list(store.list_images()),
        lambda: store.create_image(draft()),
        lambda: store.update_image("101", Changes(name="x")),
        lambda: store.delete_image("101"),
    ):
        with pytest.raises(InvalidDataError, match=r"backup_Burgos\.csv, line 2, column 9"):
            call()
    assert text(filled) == broken


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_only_regular_files_are_backups(backup: Place, make: Callable[[Path], None], draft: Drafts) -> None:
    """A pipe, a directory or a link in place of a backup file is refused, and nothing hangs."""
    make(csv_path(backup.root, "Lugo"))
    with pytest.raises(StoreError, match=r"backup_Lugo\.csv"):
        list(backup.store("Lugo").list_images())


def test_permissions_of_the_file_are_kept(filled: Place) -> None:
    """Rewriting a backup leaves its permissions."""
    path = csv_path(filled.root, "Burgos")
    path.chmod(0o660)
    filled.store().delete_image("101")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_failed_write_keeps_the_old_file(filled: Place, draft: Drafts) -> None:
    """When the file cannot be written whole it stays as it was and nothing is left beside it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(StoreError, match=r"backup_Burgos\.csv"):
            filled.store().create_image(draft())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert text(filled) == ROWS
    assert [path.name for path in filled.root.iterdir()] == ["backup_Burgos.csv"]


def test_files_are_written_and_read_whole(tmp_path: Path, filled: Place) -> None:
    """A backup file gives back what was written, and writing again replaces it."""
    images = list(filled.store().list_images())
    path = tmp_path / "copy"
    write_backup(path, images)
    assert path.read_bytes() == ROWS.encode()
    assert read_backup(path, "Burgos") == images
    write_backup(path, [])
    assert read_backup(path, "Burgos") == []


@pytest.mark.parametrize("read", [read_backup, read_json_backup])
def test_missing_file_is_an_unknown_region(tmp_path: Path, read: Callable[[Path, str], object]) -> None:
    """Reading a backup that is not there names region and file."""
    with pytest.raises(UnknownRegionError, match=r"Burgos.*b\.csv"):
        read(tmp_path / "b.csv", "Burgos")


def test_original_scenarios_are_read(settings: object) -> None:
    """The golden backups of the original load, and rewriting them changes no image."""
    scenarios = Path(__file__).parents[4] / "shared" / "scenarios"
    if not scenarios.is_dir():
        pytest.skip("the golden scenarios do not lie beside the checkout (../shared/scenarios)")
    for path in scenarios.glob("*/backup_*.csv"):
        cloud = BackupCloud(path.parent, settings)
        region = path.name.removeprefix("backup_").removesuffix(".csv")
        images = read_backup(path, region)
        assert {image.region for image in images} <= {region}
        target, _, name = region.rpartition(":")
        assert name in cloud.region_names(target or "master")
        assert list(cloud.store(RegionRef(target or "master", name)).list_images()) == images
