"""Retired images (spec images 6)."""

from __future__ import annotations

import pytest

from app.sync.images.conf.model import ObsoleteMode, Policy
from app.sync.images.model import Changes, Image
from app.sync.images.obsolete import ObsoletePlan, plan_obsolete
from app.sync.images.provenance import TARGET_NAME, WRITER
from app.sync.images.selection import select
from tests.unit.images.builders import OTHERS, listing, make_catalog, make_image, make_master

PRIVATE = {"visibility": "private"}
SAME = {"checksum": "same"}
RETIRED = make_master("a_obsolete", **SAME, **PRIVATE)
BY_NAME = frozenset({"p1", "p3"})


def retire(master: list[Image], region: list[Image], policy: Policy | None = None) -> ObsoletePlan:
    """The obsolete part of a region's plan."""
    catalog, policy = make_catalog(*master), policy or Policy()
    return plan_obsolete(catalog, select(catalog.images, policy).images, listing(*region), policy)


def said(plan: ObsoletePlan) -> list[str]:
    """Texts of the warnings."""
    return [notice.message for notice in plan.notices]


def test_renamed_and_private() -> None:
    """A region's copy of a retired image gets the suffix and the master's visibility."""
    image = make_image("a", **SAME)
    plan = retire([RETIRED], [image, make_image("b")])
    ((changed, changes, label),) = [(c.image, c.changes, c.label) for c in plan.changes]
    assert changed is image
    assert changes == Changes(name="a_obsolete", visibility="private")
    assert label == "a_obsolete"
    assert plan.new_names == {"a_obsolete"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        pytest.param("a", {"checksum": "other"}, id="other content"),
        pytest.param("a", {"checksum": None}, id="content unknown"),
        pytest.param("a_obsolete", {"checksum": "other"}, id="suffixed, other content"),
        pytest.param("a", {**SAME, "owner": OTHERS}, id="of another project"),
        pytest.param("a_obsolete", {**SAME, "owner": OTHERS}, id="suffixed, of another project"),
        pytest.param("a_obsolete", {**SAME, **PRIVATE}, id="already as it should be"),
        pytest.param("a_obsolete_obsolete", SAME, id="suffixed twice"),
        pytest.param("A", SAME, id="other name"),
        pytest.param(None, SAME, id="no name"),
        pytest.param("a", {**SAME, "properties": {WRITER: "w", TARGET_NAME: "a"}}, id="in the making"),
    ],
)
@pytest.mark.parametrize("only_ours", [True, False])
def test_left_alone(name: str | None, fields: dict, only_ours: bool) -> None:
    """Only our copies of the very content are written, and only if something changes."""
    policy = Policy(only_tenant_images=only_ours, modify_foreign=not only_ours)
    plan = retire([RETIRED], [make_image(name, **fields)], policy)
    assert not plan.changes
    assert not plan.notices


def test_switched_off() -> None:
    """Without support_obsolete_images nothing is written and nothing said."""
    master = [RETIRED, make_master("a")]
    plan = retire(master, [make_image("a", **SAME)], Policy(support_obsolete_images=False))
    assert not plan.changes
    assert not plan.notices


def test_inactive_copies_are_retired_too() -> None:
    """A deactivated copy follows like an active one."""
    assert retire([RETIRED], [make_image("a", status="deactivated", **SAME)]).changes


@pytest.mark.parametrize(
    ("successor", "ignored"),
    [pytest.param({}, True, id="selected"), pytest.param(PRIVATE, False, id="not selected")],
)
def test_successor(successor: dict, ignored: bool) -> None:
    """With a living successor in the selection the retired image is ignored, with a warning."""
    plan = retire([RETIRED, make_master("a", **successor)], [make_image("a", **SAME)])
    assert bool(plan.changes) is not ignored
    assert said(plan) == (["Ignore obsolete master image a_obsolete because a exists"] if ignored else [])


@pytest.mark.parametrize(
    ("here", "there", "setting"),
    [
        pytest.param({"p1": "new"}, {"p1": "old"}, {"p1": "new"}, id="value differs"),
        pytest.param({"p1": "new"}, {}, {"p1": "new"}, id="absent in the region"),
        pytest.param({}, {"p1": "old"}, {}, id="absent on the master: stays"),
        pytest.param({"p2": "new"}, {"p2": "old"}, {}, id="not listed: stays"),
        pytest.param({"p1": "1", "p3": "3"}, {"p1": "1", "p3": "0"}, {"p3": "3"}, id="only what differs"),
    ],
)
@pytest.mark.parametrize("name", ["a", "a_obsolete"])
def test_listed_properties_follow(here: dict, there: dict, setting: dict, name: str) -> None:
    """The properties of obsolete_syncprops are copied, and none is ever deleted."""
    master = make_master("a_obsolete", properties=here, **SAME, **PRIVATE)
    plan = retire(
        [master], [make_image(name, properties=there, **SAME, **PRIVATE)], Policy(obsolete_syncprops=BY_NAME)
    )
    expected = Changes(name="a_obsolete" if name == "a" else None, set_properties=setting)
    assert [change.changes for change in plan.changes] == ([expected] if expected else [])


@pytest.mark.parametrize("key", ["kernel_id", "ramdisk_id", "instance_uuid", "os_glance_x", WRITER])
def test_site_bound_properties_never_follow(key: str) -> None:
    """A reference or another id of the master is never written, even if it is listed."""
    master = make_master("a_obsolete", properties={key: "m-k"}, **SAME, **PRIVATE)
    plan = retire(
        [master, make_master("k", **PRIVATE)], [make_image("a", **SAME)], Policy(obsolete_syncprops={key})
    )
    assert [dict(change.changes.set_properties) for change in plan.changes] == [{}]


@pytest.mark.parametrize(
    "twin",
    [
        pytest.param(make_image("a_obsolete", checksum="other"), id="with other content"),
        pytest.param(make_image("a_obsolete", status="queued"), id="without content"),
        pytest.param(make_image("a_obsolete", **SAME, **PRIVATE), id="with the same content"),
    ],
)
@pytest.mark.parametrize("twin_first", [True, False])
def test_twin(twin: Image, twin_first: bool) -> None:
    """If the name is taken the image is not renamed, with a warning (13 no. 20)."""
    image = make_image("a", **SAME)
    plan = retire([RETIRED], [twin, image] if twin_first else [image, twin])
    assert not plan.changes
    assert said(plan) == ["Burgos: image a is not renamed: a_obsolete exists already"]


def test_two_copies() -> None:
    """Of two copies of one name the first is renamed; the second would be its twin."""
    plan = retire([RETIRED], [make_image("a", id="1", **SAME), make_image("a", id="2", **SAME)])
    assert [change.image.id for change in plan.changes] == ["1"]
    assert len(plan.notices) == 1


@pytest.mark.parametrize(("only_ours", "renamed"), [(True, True), (False, False)])
def test_foreign_twin(only_ours: bool, renamed: bool) -> None:
    """A foreign image of the name matters only where foreign images matter at all."""
    twin = make_image("a_obsolete", owner=OTHERS)
    plan = retire([RETIRED], [twin, make_image("a", **SAME)], Policy(only_tenant_images=only_ours))
    assert bool(plan.changes) is renamed


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (ObsoleteMode.RENAME, Changes(name="a_obsolete", visibility="private")),
        (ObsoleteMode.HIDE, Changes(hidden=True, visibility="private")),
        (ObsoleteMode.BOTH, Changes(name="a_obsolete", hidden=True, visibility="private")),
    ],
)
def test_modes(mode: ObsoleteMode, expected: Changes) -> None:
    """A retired image is renamed, hidden, or both."""
    plan = retire([RETIRED], [make_image("a", **SAME)], Policy(obsolete_mode=mode))
    assert [change.changes for change in plan.changes] == [expected]
    assert plan.changes[0].label == (expected.name or "a")


def test_hidden_image_is_not_hidden_again() -> None:
    """Hiding comes to rest: the second run writes nothing."""
    plan = retire(
        [RETIRED], [make_image("a", hidden=True, **SAME, **PRIVATE)], Policy(obsolete_mode=ObsoleteMode.HIDE)
    )
    assert not plan.changes
