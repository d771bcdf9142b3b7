"""The directory store's own promises: real content, safe names, whole files, clear errors."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.errors import (
    ChecksumMismatchError,
    ConflictError,
    ContentError,
    ForbiddenError,
    InvalidDataError,
    StoreError,
    StoreFullError,
    UsageError,
)
from app.sync.images.conf.model import Settings
from app.sync.images.model import Changes, Draft, RegionRef
from app.sync.images.stores.base import CHUNK_BYTES
from app.sync.images.stores.directory import DirectoryCloud
from app.sync.images.stores.files import store_error
from tests.functional.disks import small_disk

from .conftest import CONTENT, Place
from .directories import active, read, record, region_path, write_metadata

Drafts = Callable[..., Draft]
BIG = 8 * 1024 * 1024
SMALL_DISK_BYTES = 1024 * 1024


class SourceError(Exception):
    """A failure of the side that data comes from."""


# content


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1])
def test_content_comes_back_in_bounded_pieces(directory: Place, draft: Drafts, size: int) -> None:
    """What was written is read back, in pieces of at most one chunk, with its hashes recorded."""
    content = os.urandom(size)
    image = active(directory, draft, content)
    with directory.store().read_data(image.id) as pieces:
        received = list(pieces)
    assert b"".join(received) == content
    assert all(0 < len(piece) <= CHUNK_BYTES for piece in received)
    assert (image.size, image.checksum) == (size, hashlib.md5(content).hexdigest())
    assert (image.hash_algo, image.hash_value) == ("sha512", hashlib.sha512(content).hexdigest())


@pytest.mark.parametrize("offset", [0, 1, len(CONTENT) - 1, len(CONTENT)])
def test_content_can_be_resumed(directory: Place, draft: Drafts, offset: int) -> None:
    """A download goes on at any byte up to the end."""
    image = active(directory, draft)
    assert read(directory.store(), image.id, offset) == CONTENT[offset:]


def test_offset_behind_the_end_is_refused(directory: Place, draft: Drafts) -> None:
    """An offset that the content does not have is an error, not an empty answer."""
    image = active(directory, draft)
    with pytest.raises(ContentError, match=str(len(CONTENT) + 1)):
        read(directory.store(), image.id, len(CONTENT) + 1)


@pytest.mark.parametrize("failure", [SourceError("broken"), OSError(errno.ENOSPC, "of the source")])
def test_failure_of_the_source_is_passed_on(directory: Place, draft: Drafts, failure: Exception) -> None:
    """When the data breaks off nothing becomes active and the caller sees that very exception."""
    store = directory.store()
    image = store.create_image(draft())

    def breaking() -> Iterator[bytes]:
        yield CONTENT
        raise failure

    with pytest.raises(type(failure)) as caught:
        store.write_data(image.id, breaking(), None)
    assert caught.value is failure
    assert list(store.list_images()) == [image]
    assert sorted(path.name for path in region_path(directory).iterdir()) == [".lock", f"{image.id}.json"]


@pytest.mark.parametrize("announced", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_wrong_length_is_refused(directory: Place, draft: Drafts, announced: int) -> None:
    """Data of another length than announced makes no image active."""
    store = directory.store()
    image = store.create_image(draft())
    with pytest.raises(ChecksumMismatchError, match=str(announced)):
        store.write_data(image.id, [CONTENT], announced)
    assert store.get_image(image.id) == image
    assert directory.leftovers() == []


def test_failed_upload_can_be_repeated(directory: Place, draft: Drafts) -> None:
    """After a failed attempt the same image takes its content."""
    store = directory.store()
    image = store.create_image(draft())
    with pytest.raises(ChecksumMismatchError):
        store.write_data(image.id, [b"other"], 1)
    store.write_data(image.id, [CONTENT], len(CONTENT))
    assert read(store, image.id) == CONTENT


def test_content_is_written_once(directory: Place, draft: Drafts) -> None:
    """An image that has content takes no other."""
    image = active(directory, draft)
    with pytest.raises(ConflictError, match="active"):
        directory.store().write_data(image.id, [b"other"], 5)
    assert read(directory.store(), image.id) == CONTENT


def test_queued_image_has_nothing_to_read(directory: Place, draft: Drafts) -> None:
    """Reading an image without content is a conflict."""
    image = directory.store().create_image(draft())
    with pytest.raises(ConflictError, match="queued"):
        read(directory.store(), image.id)


def test_deactivated_image_is_not_read(directory: Place) -> None:
    """The content of a deactivated image is forbidden, as in Glance."""
    write_metadata(directory, "x.json", record(status="deactivated"))
    with pytest.raises(ForbiddenError, match="deactivated"):
        read(directory.store(), "x")


def test_protected_image_is_not_deleted(directory: Place, draft: Drafts) -> None:
    """A protected image refuses deletion until its protection is unset."""
    store = directory.store()
    image = active(directory, draft)
    store.update_image(image.id, Changes(protected=True))
    with pytest.raises(ForbiddenError, match=r"protected.*unset"):
        store.delete_image(image.id)
    assert read(store, image.id) == CONTENT
    store.update_image(image.id, Changes(protected=False))
    store.delete_image(image.id)
    assert [path.name for path in region_path(directory).iterdir()] == [".lock"]


def test_all_attributes_are_kept(directory: Place, draft: Drafts) -> None:
    """Formats, minimums, tags, hidden and protected survive, unlike in nine columns."""
    fields = {
        "disk_format": "qcow2",
        "container_format": "bare",
        "min_disk": 3,
        "min_ram": 512,
        "hidden": True,
    }
    store = directory.store()
    image = store.create_image(draft(tags=frozenset({"b", "a"}), **fields))
    assert {name: getattr(store.get_image(image.id), name) for name in fields} == fields
    changes = Changes(min_disk=4, min_ram=0, hidden=False, protected=True, tags=frozenset())
    updated = store.update_image(image.id, changes)
    assert (updated.min_disk, updated.min_ram, updated.hidden, updated.protected) == (4, 0, False, True)
    assert (updated.tags, updated.disk_format) == (frozenset(), "qcow2")
    assert directory.store().get_image(image.id) == updated


def test_listing_is_ordered_by_creation_then_id(directory: Place) -> None:
    """Images are listed by time of creation, equal times by id, unknown times first."""
    for image_id, created in (("b", "2020"), ("a", "2020"), ("c", "2019"), ("z", None)):
        write_metadata(directory, f"{image_id}.json", record(id=image_id, created_at=created))
    assert [image.id for image in directory.store().list_images()] == ["z", "c", "a", "b"]


# regions


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "a\0b", "a\nb", "x" * 300])
def test_region_with_a_hostile_name_is_not_made(directory: Place, name: str) -> None:
    """A region name that could leave the root is refused."""
    before = sorted(directory.root.rglob("*"))
    with pytest.raises(UsageError, match="refused"):
        DirectoryCloud(directory.root, directory.settings).create_region(name)
    assert sorted(directory.root.rglob("*")) == before


def test_region_can_be_made_again(directory: Place, draft: Drafts) -> None:
    """Making a region that exists keeps its images."""
    image = directory.store().create_image(draft())
    directory.add_region("Burgos")
    assert list(directory.store().list_images()) == [image]


def test_region_moved_to_another_medium(directory: Place, draft: Drafts, settings: Settings) -> None:
    """A region copied elsewhere, even read-only and without lock file, is the same region there."""
    image = active(directory, draft)
    moved = directory.root / "medium" / "Burgos"
    moved.mkdir(parents=True)
    for suffix in ("json", "data"):
        (moved / f"{image.id}.{suffix}").write_bytes(
            (region_path(directory) / f"{image.id}.{suffix}").read_bytes()
        )
    moved.chmod(stat.S_IRUSR | stat.S_IXUSR)
    store = DirectoryCloud(directory.root / "medium", settings).store(RegionRef("master", "Burgos"))
    assert list(store.list_images()) == [image]
    assert read(store, image.id) == CONTENT


def test_permissions_of_a_file_are_kept(directory: Place, draft: Drafts) -> None:
    """An update leaves the permissions that the owner of a file has set."""
    image = directory.store().create_image(draft())
    path = region_path(directory) / f"{image.id}.json"
    path.chmod(0o640)
    directory.store().update_image(image.id, Changes(name="new"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


# a full disk


def test_full_disk_leaves_nothing_half_done(tmp_path: Path, settings: Settings, draft: Drafts) -> None:
    """An upload that fills the disk fails with the file's name; the image stays queued, the space is free."""
    with small_disk(tmp_path / "disk", SMALL_DISK_BYTES) as expected:
        place = Place("directory", tmp_path / "disk", settings)
        place.add_region("Burgos")
        image = place.store().create_image(draft())
        with pytest.raises(expected, match=rf"{image.id}\.data"):
            place.store().write_data(image.id, (b"x" * CHUNK_BYTES for _ in range(BIG // CHUNK_BYTES)), BIG)
        assert list(place.store().list_images()) == [image]
        assert place.leftovers() == []
        place.fill(place.store(), image.id)
        assert place.store().get_image(image.id).status == "active"


def test_full_disk_keeps_old_metadata(tmp_path: Path, settings: Settings, draft: Drafts) -> None:
    """An update that finds the disk full leaves the image as it was."""
    with small_disk(tmp_path / "disk", SMALL_DISK_BYTES) as expected:
        place = Place("directory", tmp_path / "disk", settings)
        place.add_region("Burgos")
        image = place.store().create_image(draft())
        if expected is StoreFullError:
            with pytest.raises(OSError, match="No space"):
                (tmp_path / "disk" / "filler").write_bytes(b"x" * SMALL_DISK_BYTES)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        with pytest.raises(expected):
            place.store().update_image(image.id, Changes(set_properties={"a": "x" * 100_000}))
        assert list(place.store().list_images()) == [image]
        assert place.leftovers() == []


@pytest.mark.parametrize(
    ("number", "kind", "remedy"),
    [
        (errno.ENOSPC, StoreFullError, "free some space"),
        (errno.EDQUOT, StoreFullError, "quota"),
        (errno.ELOOP, InvalidDataError, "file itself"),
        (errno.EFBIG, StoreError, "large files"),
        (errno.EACCES, StoreError, "access"),
        (errno.EROFS, StoreError, "access"),
        (errno.EIO, StoreError, ""),
    ],
)
def test_system_errors_say_what_and_where(number: int, kind: type[StoreError], remedy: str) -> None:
    """Each failure of the system becomes one line with file, cause and, where there is one, a remedy."""
    error = store_error(OSError(number, os.strerror(number)), Path("/data/Bur\ngos"))
    assert type(error) is kind
    assert "/data/Bur\\ngos: " in str(error)
    assert remedy in error.remedy
