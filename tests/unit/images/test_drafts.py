"""How copies are created and published, and how their predecessors retire (spec images 5.3-5.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.sync.images.compare import metadata_changes
from app.sync.images.conf.model import Policy, SetMode, VisibilityMode
from app.sync.images.drafts import make_draft, publish_changes, retire_changes
from app.sync.images.model import Changes, Draft, Image
from app.sync.images.provenance import (
    COPY_HASH,
    FINISH,
    SOURCE_HASH,
    SOURCE_ID,
    TARGET_NAME,
    WRITER,
    Disposal,
    finish_mark,
    is_partial,
)
from app.sync.images.stores.mutations import changed, drafted
from tests.unit.images.builders import OURS, REGION, make_image, make_master

AMI = make_master(
    "ami",
    properties={"kernel_id": "k", "ramdisk_id": "r", "nid": "1", "local": "x", "instance_uuid": "u"},
    disk_format="ami",
    container_format="ami",
    min_disk=3,
    min_ram=64,
    tags=frozenset({"t"}),
    hidden=True,
    protected=True,
    hash_algo="sha512",
    hash_value="h",
)
IDS = {"k": "101", "r": "102"}
MARKS = {WRITER: "w1", TARGET_NAME: "ami", SOURCE_ID: "m-ami", SOURCE_HASH: "sha512:h"}


def draft_of(source: Image, policy: Policy | None = None, ids: dict[str, str] | None = None) -> Draft:
    """A draft with fixed temporary name and writer."""
    known = IDS if ids is None else ids
    return make_draft(source, policy or Policy(), known, temporary_name="syncline-partial-1", writer="w1")


def created_from(source: Image, policy: Policy | None = None, ids: dict[str, str] | None = None) -> Image:
    """The copy as a region holds it after a verified transfer."""
    return replace(
        drafted(draft_of(source, policy, ids), REGION, "1$new", OURS),
        status="active",
        size=source.size,
        checksum=source.checksum,
        hash_algo=source.hash_algo,
        hash_value=source.hash_value,
    )


@pytest.mark.parametrize(
    ("policy", "ids", "expected"),
    [
        pytest.param(
            Policy(), IDS, {"kernel_id": "101", "ramdisk_id": "102", "nid": "1", "local": "x"}, id="all"
        ),
        pytest.param(
            Policy(metadata_set=frozenset({"nid"})),
            IDS,
            {"kernel_id": "101", "ramdisk_id": "102", "nid": "1"},
            id="set",
        ),
        pytest.param(
            Policy(metadata_set=frozenset({"x"})), {"r": "102"}, {"ramdisk_id": "102"}, id="kernel unknown"
        ),
        pytest.param(Policy(ignored_properties=("n*", "l*")), {}, {}, id="nothing left"),
    ],
)
def test_properties_of_a_draft(policy: Policy, ids: dict, expected: dict) -> None:
    """A copy carries the filtered properties, the region's own references, and the marks of its making."""
    assert draft_of(AMI, policy, ids).properties == {**expected, **MARKS}


def test_attributes_of_a_draft() -> None:
    """Formats and minimums are the master's; the final name waits until the content is verified."""
    draft = draft_of(AMI)
    assert (draft.name, draft.temporary_name) == ("ami", "syncline-partial-1")
    assert (draft.disk_format, draft.container_format) == ("ami", "ami")
    assert (draft.min_disk, draft.min_ram) == (3, 64)
    assert is_partial(created_from(AMI))


@pytest.mark.parametrize(
    ("mode", "tags"), [(SetMode.OFF, set()), (SetMode.MERGE, {"t"}), (SetMode.EXACT, {"t"})]
)
def test_tags_of_a_draft(mode: SetMode, tags: set) -> None:
    """Tags are copied where they are kept in line at all."""
    assert draft_of(AMI, Policy(tags_mode=mode)).tags == tags


@pytest.mark.parametrize(
    ("source", "mode", "expected"),
    [
        ("public", VisibilityMode.PUBLIC_ONLY, "public"),
        ("private", VisibilityMode.PUBLIC_ONLY, None),
        ("shared", VisibilityMode.PUBLIC_ONLY, None),
        ("shared", VisibilityMode.EXACT, "shared"),
        ("community", VisibilityMode.EXACT, "community"),
        ("private", VisibilityMode.EXACT, None),
    ],
)
def test_published_visibility(source: str, mode: VisibilityMode, expected: str | None) -> None:
    """Publishing turns the private copy into what the master's visibility means for the target."""
    image = replace(AMI, visibility=source)
    changes = publish_changes(image, created_from(image), Policy(sync_visibility=mode), IDS, None)
    assert changes.visibility == expected


@pytest.mark.parametrize(
    "policy", [Policy(), Policy(sync_hidden=True, sync_protected=True)], ids=["off", "on"]
)
def test_published_attributes(policy: Policy) -> None:
    """The final name comes with publishing; hidden and protected only where the target copies them."""
    changes = publish_changes(AMI, created_from(AMI), policy, IDS, None)
    assert changes.name == "ami"
    assert changes.hidden is (policy.sync_hidden or None)
    assert changes.protected is (policy.sync_protected or None)


def test_marks_are_taken_off() -> None:
    """A published image is no longer in the making and carries no trace of it."""
    changes = publish_changes(AMI, created_from(AMI), Policy(), IDS, None)
    assert changes == Changes(name="ami", visibility="public", remove_properties=frozenset(MARKS))
    published = changed(created_from(AMI), changes)
    assert set(published.properties) == {"kernel_id", "ramdisk_id", "nid", "local"}


def test_record_of_origin_is_kept_where_wanted() -> None:
    """With provenance_properties the published image tells what it was made from."""
    policy = Policy(provenance_properties=True)
    published = changed(created_from(AMI), publish_changes(AMI, created_from(AMI), policy, IDS, None))
    assert published.properties[SOURCE_HASH] == published.properties[COPY_HASH] == "sha512:h"
    assert not {WRITER, TARGET_NAME, SOURCE_ID} & published.properties.keys()


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param({"hash_value": "converted", "checksum": "converted"}, id="converted by the region"),
        pytest.param({"hash_algo": "sha256", "hash_value": "x", "checksum": None}, id="other algorithm"),
    ],
)
def test_record_of_origin_is_kept_where_needed(copy: dict) -> None:
    """A copy that its hash does not identify keeps the record, so that the next run knows it."""
    created = replace(created_from(AMI), **copy)
    published = changed(created, publish_changes(AMI, created, Policy(), IDS, None))
    assert published.properties[SOURCE_HASH] == "sha512:h"
    assert published.properties[COPY_HASH] == f"{created.hash_algo}:{created.hash_value}"


@pytest.mark.parametrize("disposal", list(Disposal))
def test_finish_mark(disposal: Disposal) -> None:
    """What is still to be done to the predecessor is written in the same step as the final name."""
    finish = finish_mark(disposal, "old-id")
    changes = publish_changes(AMI, created_from(AMI), Policy(), IDS, finish)
    assert changes.set_properties == {FINISH: finish}
    assert changes.name == "ami"


def test_references_that_changed_meanwhile() -> None:
    """A kernel made between creation and publishing is referred to by its new id."""
    created = created_from(AMI, ids={"r": "102"})
    changes = publish_changes(AMI, created, Policy(), {"k": "201", "r": "102"}, None)
    assert changes.set_properties == {"kernel_id": "201"}


def test_properties_added_by_the_server() -> None:
    """What a server-side import copied against the target's filter is removed again."""
    policy = Policy(metadata_set=frozenset({"nid"}))
    created = created_from(AMI, policy)
    created = replace(created, properties={**created.properties, "local": "x", "injected": "y"})
    published = changed(created, publish_changes(AMI, created, policy, IDS, None))
    assert set(published.properties) == {"kernel_id", "ramdisk_id", "nid", "injected"}


@pytest.mark.parametrize(
    "policy",
    [
        Policy(),
        Policy(metadata_set=frozenset({"nid"})),
        Policy(sync_hidden=True, sync_protected=True, tags_mode=SetMode.EXACT, provenance_properties=True),
        Policy(sync_visibility=VisibilityMode.EXACT, certificate_map={"a": "b"}),
    ],
)
@pytest.mark.parametrize("visibility", ["public", "private", "shared"])
def test_published_copy_has_no_difference(policy: Policy, visibility: str) -> None:
    """After publishing nothing is left to write."""
    source = replace(AMI, visibility=visibility)
    created = created_from(source, policy)
    published = changed(created, publish_changes(source, created, policy, IDS, None))
    assert not metadata_changes(source, published, policy, IDS)


@pytest.mark.parametrize(
    ("name", "taken", "retired"),
    [
        ("a", set(), "a.old"),
        ("a", {"a", "b.old"}, "a.old"),
        ("a", {"a.old"}, "a.old2"),
        ("a", {"a.old", "a.old2", "a.old4"}, "a.old3"),
        ("a.old", {"a.old"}, "a.old.old"),
        ("x" * 255, set(), "x" * 251 + ".old"),
        ("x" * 255, {"x" * 251 + ".old"}, "x" * 250 + ".old2"),
    ],
)
def test_name_of_a_retired_image(name: str, taken: set, retired: str) -> None:
    """A replaced image gets a free name of a length that Glance takes."""
    assert retire_changes(make_image(name), frozenset(taken)).name == retired


@pytest.mark.parametrize("visibility", ["public", "shared", "community", "private"])
def test_retired_image_is_private(visibility: str) -> None:
    """A replaced image is private and keeps all its properties."""
    image = make_image("a", visibility=visibility, properties={"nid": "1", "kernel_id": "7"})
    after = changed(image, retire_changes(image, frozenset()))
    assert after == replace(image, name="a.old", visibility="private")
