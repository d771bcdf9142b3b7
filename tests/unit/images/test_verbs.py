"""Choosing single images to rename, change or delete (spec images 7.9)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from app.errors import UsageError
from app.sync.images import verbs
from app.sync.images.conf.model import Policy
from app.sync.images.model import Changes, Image, Snapshot
from app.sync.images.plan import Catalog
from app.sync.images.provenance import TARGET_NAME, WRITER

OURS = "p1"
SUM = "c1"


def image(name: str, image_id: str = "1", *, owner: str | None = OURS, **more: object) -> Image:
    """An active public image of ours."""
    settings: dict[str, object] = {"checksum": SUM, "size": 5, "visibility": "public"} | more
    return Image("Burgos", image_id, name, owner=owner, **settings)  # type: ignore[arg-type]


def region(*images: Image) -> Snapshot:
    """A listing of Burgos."""
    return Snapshot("Burgos", OURS, images)


def master(*images: Image) -> Catalog:
    """What the master offers."""
    return Catalog("Valladolid", {one.name or "": one for one in images})


BY_NAME = verbs.Selector("a")
NID = {"nid": "1"}
PARTIAL: Mapping[str, str] = {WRITER: "w", TARGET_NAME: "a"}


@pytest.mark.parametrize(
    ("images", "selector", "expected"),
    [
        pytest.param((image("a"), image("b", "2")), BY_NAME, "1", id="by-name"),
        pytest.param((image("a"), image("a", "2")), verbs.Selector(image_id="2"), "2", id="by-id"),
        pytest.param((image("a", owner=None),), BY_NAME, "1", id="nobodys-is-ours"),
        pytest.param((image("a", owner="x"), image("a", "2")), BY_NAME, "2", id="ours-beside-foreign"),
    ],
)
def test_one_image_of_ours_is_chosen(
    images: tuple[Image, ...], selector: verbs.Selector, expected: str
) -> None:
    """An image is found by name, or by id where a name is not enough."""
    chosen = verbs.choose(region(*images), selector)
    assert isinstance(chosen, Image)
    assert chosen.id == expected


@pytest.mark.parametrize(
    ("images", "word", "harmless"),
    [
        pytest.param((), "is not there", True, id="absent"),
        pytest.param((image("a"), image("a", "2")), "not unique, choose by id: 1 2", False, id="twice"),
        pytest.param((image("a", owner="x"),), "another project", False, id="foreign"),
        pytest.param((image("a", properties=PARTIAL),), "is not there", True, id="in-the-making"),
    ],
)
def test_no_image_is_chosen_by_guessing(images: tuple[Image, ...], word: str, harmless: bool) -> None:
    """Where not exactly one image of ours is meant, nothing is done and the reason is told."""
    refusal = verbs.choose(region(*images), BY_NAME)
    assert isinstance(refusal, verbs.Refusal)
    assert word in refusal.reason
    assert refusal.harmless == harmless


def test_rename_follows_visibility_and_one_property() -> None:
    """Renaming takes over the master's visibility and the property asked for, nothing else."""
    reference = image("new", "m", visibility="private", properties={"nid": "7", "type": "x"})
    intent = verbs.plan_rename(region(image("a")), reference, "a", "new", "nid")
    assert isinstance(intent, verbs.Intent)
    assert intent.changes == Changes(name="new", visibility="private", set_properties={"nid": "7"})


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        pytest.param((image("a", checksum="other"),), "has not the content", id="other-content"),
        pytest.param((image("a", checksum=None),), "has not the content", id="unknown-content"),
        pytest.param((image("a"), image("new", "2")), "there is an image new already", id="taken"),
        pytest.param((image("a"), image("new", "2", owner="x")), "already", id="taken-by-others"),
        pytest.param((image("a"), image("a", "2")), "not unique", id="twice"),
    ],
)
def test_rename_is_refused(images: tuple[Image, ...], reason: str) -> None:
    """Only the one image with the master's content is renamed, and never onto a name in use."""
    refusal = verbs.plan_rename(region(*images), image("new", "m"), "a", "new")
    assert isinstance(refusal, verbs.Refusal)
    assert reason in refusal.reason


@pytest.mark.parametrize(
    ("names", "found"), [(("old",), "old"), (("new",), "new"), (("new", "other"), "new")]
)
def test_rename_goes_on_where_it_stopped(names: tuple[str, ...], found: str) -> None:
    """Whether the master has been renamed already or not, the regions follow it."""
    assert verbs.rename_reference(master(*(image(name) for name in names)), "old", "new").name == found


@pytest.mark.parametrize("names", [(), ("old", "new")])
def test_rename_needs_one_reference(names: tuple[str, ...]) -> None:
    """With no image, or both, on the master it is not clear what to follow."""
    with pytest.raises(UsageError, match="the master has"):
        verbs.rename_reference(master(*(image(name) for name in names)), "old", "new")


def test_properties_write_only_what_differs() -> None:
    """A property that has its value already, or is absent already, is not written."""
    present = image("a", properties={"keep": "1", "change": "1", "gone": "1"})
    intent = verbs.plan_properties(
        region(present), BY_NAME, {"keep": "1", "change": "2", "add": "3"}, frozenset({"gone", "absent"})
    )
    assert isinstance(intent, verbs.Intent)
    assert intent.changes == Changes(
        set_properties={"change": "2", "add": "3"}, remove_properties=frozenset({"gone"})
    )
    again = verbs.plan_properties(region(present), BY_NAME, {"keep": "1"}, frozenset({"absent"}))
    assert isinstance(again, verbs.Refusal)
    assert again.harmless


def test_follow_ignores_the_property_filter() -> None:
    """Copying from the master takes every property, whatever metadata_set says."""
    source = image("a", "m", properties={"nid": "1", "extra": "2"})
    policy = Policy(metadata_set=frozenset({"nid"}))
    intent = verbs.plan_follow(region(image("a", properties={"local": "x"})), BY_NAME, master(source), policy)
    assert isinstance(intent, verbs.Intent)
    assert intent.changes.set_properties == {"nid": "1", "extra": "2"}
    assert intent.changes.remove_properties == {"local"}


@pytest.mark.parametrize(
    ("catalog", "harmless"), [(master(), False), (master(image("a", "m")), True)], ids=["unknown", "equal"]
)
def test_follow_does_nothing_without_a_difference(catalog: Catalog, harmless: bool) -> None:
    """An image that the master lacks is an error; one that is as on the master is not."""
    refusal = verbs.plan_follow(region(image("a")), BY_NAME, catalog, Policy())
    assert isinstance(refusal, verbs.Refusal)
    assert refusal.harmless == harmless


def test_delete_is_for_one_image_of_ours() -> None:
    """Deleting names the image and nothing else."""
    intent = verbs.plan_delete(region(image("a"), image("b", "2")), BY_NAME)
    assert isinstance(intent, verbs.Intent)
    assert (intent.image.id, intent.deed) == ("1", verbs.Deed.DELETE)


@pytest.mark.parametrize(
    ("here", "code"),
    [
        pytest.param(image("a", properties=NID), "", id="equal"),
        pytest.param(image("zzz"), "+", id="not-on-master"),
        pytest.param(image("a", status="queued", checksum="x"), "$", id="inactive-before-content"),
        pytest.param(image("a", checksum="x", visibility="private"), "!", id="content-before-visibility"),
        pytest.param(image("a", visibility="private"), "_", id="public-on-master-only"),
        pytest.param(image("a", properties={"nid": "2"}), "#", id="other-value"),
        pytest.param(image("a"), "#", id="property-missing"),
    ],
)
def test_comparison_code(here: Image, code: str) -> None:
    """One character tells how an image differs from the master's; the first difference counts."""
    catalog = master(image("a", "m", properties=NID))
    assert verbs.comparison_code(here, catalog, Policy(), {}) == code


def test_comparison_code_of_an_image_public_here_only() -> None:
    """An image that is private on the master but public here is marked by a minus."""
    source = image("a", "m", visibility="private")
    assert verbs.comparison_code(image("a"), master(source), Policy(), {}) == "-"


@pytest.mark.parametrize(
    ("key", "writable"), [("nid", True), ("", False), ("kernel_id", False), ("ramdisk_id", False)]
)
def test_references_are_not_set_by_hand(key: str, writable: bool) -> None:
    """Ids of kernels and ramdisks follow the master; a hand could only set them wrong."""
    assert verbs.writable_property(key) == writable
