"""Files in a directory store that somebody else wrote, cut, lost or planted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidDataError, StoreError, UnknownRegionError
from app.sync.images.model import Changes, Draft, RegionRef
from app.sync.images.stores.base import CHUNK_BYTES
from app.sync.images.stores.directory import DirectoryCloud

from .conftest import CONTENT, Place
from .directories import active, read, record, region_path, write_metadata

Drafts = Callable[..., Draft]

BAD_METADATA = {
    "other-id": (record(id="y"), "holds the id 'y'"),
    "path-id": (record(id="../y"), "holds the id"),
    "not-json": (b"{not json", "not valid JSON"),
    "not-utf8": (b'{"name": "\xff"}', "not valid JSON in UTF-8"),
    "nothing": (b"", "not valid JSON"),
    "not-object": (b"[]", "not a JSON object"),
    "nan": (b'{"version": 1, "id": "x", "status": "active", "properties": {"a": NaN}}', "NaN"),
    "infinite": (
        b'{"version": 1, "id": "x", "status": "active", "properties": {"a": 1e999}}',
        "'properties'",
    ),
    "deep": (b"[" * 200_000, "not valid JSON"),
    "long-number": (b'{"size": ' + b"1" * 10_000 + b"}", "not valid JSON"),
    "no-version": (b'{"id": "x", "status": "active"}', "'version' is missing"),
    "next-version": (record(version=2), "'version' must be the number 1"),
    "version-true": (record(version=True), "'version' must be"),
    "unknown-key": (record(path="/etc/passwd"), "unknown key 'path'"),
    "name-number": (record(name=5), "'name' must be text or null"),
    "size-text": (record(size="5"), "'size' must be"),
    "size-negative": (record(size=-1), "'size' must be"),
    "size-true": (record(size=True), "'size' must be"),
    "size-huge": (record(size=2**63), "'size' must be"),
    "status-null": (record(status=None), "'status' must be"),
    "visibility": (record(visibility="everybody"), "'visibility' must be one of community, private"),
    "min-disk": (record(min_disk=1.5), "'min_disk' must be"),
    "protected": (record(protected=1), "'protected' must be true or false"),
    "tags": (record(tags=["a", 1]), "'tags' must be a list of text"),
    "properties": (record(properties={"a": ["b"]}), "'properties' must be"),
    "too-large": (record(name="x" * 1024 * 1024), "larger than 1048576 bytes"),
}


@pytest.mark.parametrize(("content", "message"), BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_broken_metadata_is_named(directory: Place, content: bytes, message: str) -> None:
    """A metadata file that breaks the format fails the listing with its name and what is wrong."""
    path = write_metadata(directory, "x.json", content)
    with pytest.raises(InvalidDataError) as caught:
        list(directory.store().list_images())
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    with pytest.raises(InvalidDataError):
        directory.store().update_image("x", Changes(name="y"))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "name", ["sp ace.json", "new\nline.json", "ümlaut.json", "x" * 129 + ".json", "a;b.json"]
)
def test_metadata_with_a_strange_name_is_refused(directory: Place, name: str) -> None:
    """A metadata file whose name is no image id is reported, on one line."""
    write_metadata(directory, name, record())
    with pytest.raises(InvalidDataError, match="no image id") as caught:
        list(directory.store().list_images())
    assert str(caught.value).isprintable()


def test_other_files_are_left_alone(directory: Place, draft: Drafts) -> None:
    """Files that are neither metadata nor data are ignored and stay."""
    for name in ("README.txt", ".hidden.json", "orphan.data"):
        write_metadata(directory, name, b"mine")
    image = directory.store().create_image(draft())
    directory.store().delete_image(image.id)
    assert list(directory.store().list_images()) == []
    names = sorted(path.name for path in region_path(directory).iterdir())
    assert names == [".hidden.json", ".lock", "README.txt", "orphan.data"]


def make_link(path: Path) -> None:
    """A link to metadata outside the root."""
    secret = path.parents[1] / "secret"
    secret.write_bytes(record(name="secret"))
    path.symlink_to(secret)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make_link, id="link"),
        pytest.param(os.mkfifo, id="pipe"),
        pytest.param(Path.mkdir, id="directory"),
    ],
)
@pytest.mark.parametrize("suffix", [".json", ".data"])
def test_only_regular_files_are_read(directory: Place, make: Callable[[Path], None], suffix: str) -> None:
    """Links, pipes and directories in place of metadata or data are refused, and nothing hangs."""
    path = region_path(directory) / f"x{suffix}"
    make(path)
    if suffix == ".data":
        write_metadata(directory, "x.json", record())
    with pytest.raises(InvalidDataError, match=f"x{suffix}"):
        read(directory.store(), "x")


def test_region_that_is_a_link_is_none(directory: Place, tmp_path: Path) -> None:
    """A link among the regions leads nowhere: it is not listed and not opened."""
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "Link").symlink_to(outside)
    cloud = DirectoryCloud(root, directory.settings)
    assert cloud.region_names("master") == []
    with pytest.raises(UnknownRegionError, match="Link"):
        cloud.store(RegionRef("master", "Link"))
    with pytest.raises(StoreError, match="Link"):
        cloud.create_region("Link")


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        pytest.param(lambda path: path.unlink(), "missing", id="gone"),
        pytest.param(lambda path: path.write_bytes(b"half"), f"4 bytes instead of {len(CONTENT)}", id="cut"),
    ],
)
def test_incomplete_copy_is_noticed(
    directory: Place, draft: Drafts, prepare: Callable[[Path], None], message: str
) -> None:
    """Data that was lost or cut on its way here is not served as if it were whole."""
    image = active(directory, draft)
    prepare(region_path(directory) / f"{image.id}.data")
    with pytest.raises(InvalidDataError, match=message):
        read(directory.store(), image.id)


def test_content_cut_while_it_is_read(directory: Place, draft: Drafts) -> None:
    """A download never ends early without an error."""
    image = active(directory, draft, b"x" * (2 * CHUNK_BYTES))
    with directory.store().read_data(image.id) as pieces:
        next(pieces)
        os.truncate(region_path(directory) / f"{image.id}.data", CHUNK_BYTES)
        with pytest.raises(InvalidDataError, match="cut"):
            next(pieces)


def test_interrupted_deletion_is_completed(directory: Place, draft: Drafts) -> None:
    """An image whose deleter died is in no listing, and the next writer removes its data."""
    image = active(directory, draft)
    folder = region_path(directory)
    (folder / f"{image.id}.json").rename(folder / f".deleted-{image.id}")
    assert list(directory.store().list_images()) == []
    other = directory.store().create_image(draft("other"))
    assert sorted(path.name for path in folder.iterdir()) == [".lock", f"{other.id}.json"]


def test_too_large_metadata_is_not_written(directory: Place, draft: Drafts) -> None:
    """An update that no listing could read back is refused and changes nothing."""
    image = directory.store().create_image(draft())
    with pytest.raises(InvalidDataError, match="larger than"):
        directory.store().update_image(image.id, Changes(set_properties={"a": "x" * 2_000_000}))
    assert list(directory.store().list_images()) == [image]
