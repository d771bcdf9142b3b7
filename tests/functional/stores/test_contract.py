"""What the engine may expect of every local store, checked on each kind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import NotFoundError, StoreError, UnknownRegionError
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.base import ImageStore

from .conftest import CONTENT, Place

Drafts = Callable[..., Draft]
HOSTILE_REGIONS = ["", ".", "..", "../Burgos", "a/b", "/etc", ".hidden", "nul\0l", "line\nbreak", "x" * 300]
HOSTILE_IDS = ["", ".", "..", "../Burgos/x", "/etc/passwd", "a\0b", "a\nb", "x" * 500, "no-such-image"]
NAMES = [
    "kernel, 6.1",
    'say "hi"',
    "two\nlines",
    "tab\tand\r\nend",
    "caf\u00e9 \U0001f427",
    "'); x",
    " blanks ",
]


def test_new_image_is_private_and_queued(place: Place, draft: Drafts) -> None:
    """A created image is private, without content, ours, and bears its temporary name."""
    created = place.store().create_image(draft(properties={"type": "kernel", "nid": "7"}))
    assert (created.name, created.status, created.visibility, created.owner, created.region) == (
        "syncline-partial-debian-12",
        "queued",
        "private",
        "tenant1id",
        "Burgos",
    )
    assert created.properties == {"type": "kernel", "nid": "7"}
    assert (created.size, created.checksum) == (None, None)
    assert place.store().get_image(created.id) == created


def test_owner_is_the_targets_project(place: Place, draft: Drafts) -> None:
    """What is created in a region of another target belongs to that target's project."""
    place.add_region("other:Madrid")
    store = place.store("Madrid", "other")
    assert (store.region, store.project_id) == ("other:Madrid", "tenant2id")
    assert store.create_image(draft()).owner == "tenant2id"


def test_location_names_kind_and_place(place: Place) -> None:
    """All regions of one directory are one federation."""
    place.add_region("other:Madrid")
    locations = {place.store().location, place.store("Madrid", "other").location}
    assert locations == {f"{place.kind}:{place.root}"}


def test_listing_holds_each_image_once_oldest_first(place: Place, draft: Drafts) -> None:
    """A listing shows every image of any status, in the order of creation."""
    store = place.store()
    ids = [store.create_image(draft(f"image{number}")).id for number in range(12)]
    place.fill(store, ids[3])
    store.update_image(ids[0], Changes(name="renamed"))
    assert [image.id for image in place.store().list_images()] == ids


def test_empty_region_lists_nothing(place: Place) -> None:
    """A region without images is a region."""
    assert list(place.store().list_images()) == []


def test_content_makes_an_image_active(place: Place, draft: Drafts) -> None:
    """With its content an image has status active, size and MD5."""
    store = place.store()
    image_id = store.create_image(draft()).id
    place.fill(store, image_id)
    image = store.get_image(image_id)
    assert (image.status, image.size) == ("active", len(CONTENT))
    assert image.checksum == hashlib.md5(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (Changes(name="new"), {"name": "new"}),
        (Changes(visibility="public"), {"visibility": "public"}),
        (Changes(set_properties={"nid": "2"}), {"properties": {"type": "baseimage", "nid": "2"}}),
        (Changes(set_properties={"type": "other"}), {"properties": {"type": "other"}}),
        (Changes(remove_properties=frozenset({"type", "absent"})), {"properties": {}}),
        (Changes(), {}),
    ],
    ids=["name", "visibility", "add-property", "change-property", "remove-property", "nothing"],
)
def test_update_touches_only_what_it_names(
    place: Place, draft: Drafts, changes: Changes, expected: dict[str, object]
) -> None:
    """An update writes what it names; every other attribute, and every other image, stays."""
    store = place.store()
    image, neighbour = store.create_image(draft("a")), store.create_image(draft("b"))
    updated = store.update_image(image.id, changes)
    fields = Image.__dataclass_fields__
    assert {name: getattr(updated, name) for name in fields} == {
        **{name: getattr(image, name) for name in fields},
        **expected,
    }
    assert list(place.store().list_images()) == [updated, neighbour]


@pytest.mark.parametrize("name", NAMES)
def test_awkward_names_and_values_are_kept(place: Place, draft: Drafts, name: str) -> None:
    """Names and properties with commas, quotes, line breaks and emoji come back as they were."""
    store = place.store()
    image = store.create_image(draft("x", properties={name: name}))
    store.update_image(image.id, Changes(name=name))
    (listed,) = place.store().list_images()
    assert (listed.name, listed.properties) == (name, {name: name})


def test_deleted_image_is_gone(place: Place, draft: Drafts) -> None:
    """A deleted image is in no listing, and deleting it again tells so."""
    store = place.store()
    gone, stays = store.create_image(draft("gone")), store.create_image(draft("stays"))
    place.fill(store, gone.id)
    store.delete_image(gone.id)
    assert list(place.store().list_images()) == [stays]
    with pytest.raises(NotFoundError, match="Burgos"):
        store.delete_image(gone.id)


@pytest.mark.parametrize("image_id", HOSTILE_IDS)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda store, i: store.get_image(i), id="get"),
        pytest.param(lambda store, i: store.update_image(i, Changes(name="x")), id="update"),
        pytest.param(lambda store, i: store.delete_image(i), id="delete"),
    ],
)
def test_an_id_that_is_no_image_is_not_found(
    place: Place, draft: Drafts, call: Callable[[ImageStore, str], object], image_id: str
) -> None:
    """An unknown id, also one that looks like a path, is not found and touches nothing."""
    image = place.store().create_image(draft())
    with pytest.raises(NotFoundError):
        call(place.store(), image_id)
    assert list(place.store().list_images()) == [image]


def test_regions_of_targets(place: Place) -> None:
    """Regions without colon are master's, those of other targets are listed without prefix."""
    for name in ("Valladolid", "other:Madrid", "other:Avila", "third:Lugo"):
        place.add_region(name)
    assert place.cloud.region_names("master") == ["Burgos", "Valladolid"]
    assert place.cloud.region_names("other") == ["Avila", "Madrid"]


def test_unknown_target_is_named(place: Place) -> None:
    """A target that no configuration knows is an error that lists the known ones."""
    with pytest.raises(UnknownRegionError, match=r"'nowhere'.*known targets: master, other"):
        place.cloud.region_names("nowhere")
    with pytest.raises(UnknownRegionError, match="nowhere"):
        place.store("Burgos", "nowhere")


@pytest.mark.parametrize("name", ["Caceres", *HOSTILE_REGIONS])
def test_unknown_or_hostile_region_is_refused(place: Place, name: str) -> None:
    """A region that does not exist, or whose name is a path, is an unknown region, on one line."""
    (place.root / "Caceres.txt").touch()
    with pytest.raises(UnknownRegionError) as caught:
        place.cloud.store(RegionRef("master", name))
    assert str(caught.value).isprintable()


def test_region_that_vanishes_is_unknown(place: Place, draft: Drafts) -> None:
    """A region removed under an open store is reported as such by every call."""
    store = place.store()
    place.remove_region("Burgos")
    for call in (
        lambda: list(store.list_images()),
        lambda: store.get_image("x"),
        lambda: store.create_image(draft()),
        lambda: store.delete_image("x"),
    ):
        with pytest.raises(UnknownRegionError, match="Burgos"):
            call()


def test_missing_root_is_a_store_error(place: Place, tmp_path: Path) -> None:
    """A cloud whose directory is not there is named with its path."""
    absent = Place(place.kind, tmp_path / "absent", place.settings)
    with pytest.raises(StoreError, match="absent"):
        absent.cloud.region_names("master")


def test_root_may_be_a_link(place: Place, draft: Drafts, tmp_path: Path) -> None:
    """The directory that a person names may be a symbolic link."""
    link = tmp_path / "link"
    link.symlink_to(place.root, target_is_directory=True)
    linked = Place(place.kind, link, place.settings)
    image = linked.store().create_image(draft())
    assert list(place.store().list_images()) == [image]


def test_reading_writes_nothing(place: Place, draft: Drafts) -> None:
    """Listing and reading leave every file as it is, also what a dead writer left."""
    place.store().create_image(draft())
    folder = place.root / "Burgos" if place.kind == "directory" else place.root
    (folder / ".tmp-1-dead").touch()
    before = {path: path.stat().st_mtime_ns for path in place.root.rglob("*")}
    store = place.store()
    for image in store.list_images():
        store.get_image(image.id)
    place.cloud.region_names("master")
    assert {path: path.stat().st_mtime_ns for path in place.root.rglob("*")} == before
