"""The status of every image of a region, and why (spec images 4.2-4.6, 5.9, 14.3-14.9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.sync.images.condition import parse_condition
from app.sync.images.conf.model import Policy, SetMode, SignaturePolicy, VisibilityMode
from app.sync.images.provenance import COPY_HASH, FINISH, SOURCE_HASH, TARGET_NAME, WRITER
from tests.unit.images.builders import (
    OTHERS,
    REGION,
    make_image,
    make_master,
    plan,
    row_of,
    statuses,
    warnings,
)

ANY = frozenset({"any"})
REPLACE, RENAME = Policy(replace=ANY), Policy(rename=ANY)


@pytest.mark.parametrize(
    ("copy", "policy", "status", "reasons"),
    [
        pytest.param({}, Policy(), "ok", (), id="equal"),
        pytest.param(
            {"checksum": "x"}, Policy(), "error_checksum", ("checksum",), id="conflict without rule"
        ),
        pytest.param({"checksum": "x"}, REPLACE, "pending_replace", ("checksum",), id="replace"),
        pytest.param({"checksum": "x"}, RENAME, "pending_rename", ("checksum",), id="rename"),
        pytest.param(
            {"checksum": "x"},
            Policy(dontupdate=frozenset("x")),
            "ok_stalled_checksum",
            ("checksum",),
            id="stalled",
        ),
        pytest.param({"checksum": None}, Policy(), "error_checksum", ("unverifiable",), id="unknown content"),
        pytest.param(
            {"checksum": None}, REPLACE, "error_checksum", ("unverifiable",), id="unknown, whatever the lists"
        ),
        pytest.param(
            {"visibility": "private"}, Policy(), "pending_metadata", ("visibility",), id="visibility"
        ),
        pytest.param(
            {"properties": {"x": "1"}}, Policy(), "pending_metadata", ("property:x",), id="property"
        ),
        pytest.param({"min_ram": 5}, Policy(), "pending_metadata", ("min_ram",), id="attribute"),
        pytest.param({"size": 7}, Policy(), "ok", (), id="size is not compared"),
        pytest.param({"status": "queued"}, Policy(), "pending_upload", ("in_progress",), id="being made"),
        pytest.param({"status": "error"}, Policy(), "pending_upload", (), id="without content"),
        pytest.param({"status": "deactivated"}, Policy(), "ok", ("deactivated",), id="deactivated"),
        pytest.param(
            {"status": "deactivated", "min_disk": 1},
            Policy(),
            "pending_metadata",
            ("min_disk", "deactivated"),
            id="deactivated, differs",
        ),
        pytest.param({"disk_format": "raw"}, Policy(), "error_format", ("format",), id="format"),
        pytest.param(
            {"disk_format": "raw"}, REPLACE, "pending_replace", ("format",), id="format, replace allowed"
        ),
        pytest.param(
            {"disk_format": "raw"}, RENAME, "pending_rename", ("format",), id="format, rename allowed"
        ),
        pytest.param({"name": "elsewhere"}, Policy(), "pending_upload", (), id="absent"),
    ],
)
def test_status(copy: dict, policy: Policy, status: str, reasons: tuple) -> None:
    """Content decides first, then metadata; the reasons say what differs."""
    made = plan(
        [make_master("a", checksum="c", disk_format="qcow2")],
        [make_image(**{"name": "a", "checksum": "c", **copy})],
        policy,
    )
    (row,) = made.images
    assert (row.item.status, row.item.reasons) == (status, reasons)


def test_row_tells_both_sides() -> None:
    """A row names region, image, size and both ids."""
    item = row_of(plan([make_master("a", size=77)], [make_image("a")]), "a").item
    assert (item.region, item.name, item.size_bytes) == (REGION, "a", 77)
    assert (item.source_id, item.destination_id) == ("m-a", "id-a")


def test_rows_are_in_order_of_size_and_name() -> None:
    """Rows come by size, then name; an unknown size counts as none (PR7)."""
    master = [
        make_master("b", size=5),
        make_master("a", size=5),
        make_master("c", size=1),
        make_master("z", size=None),
    ]
    assert list(statuses(plan(master, []))) == ["z", "c", "a", "b"]


def test_converted_copy_is_ok() -> None:
    """A copy that the region converted is the same by its record, other format included (14.5)."""
    marks = {SOURCE_HASH: "md5:sum-a", COPY_HASH: "md5:raw"}
    copy = make_image("a", checksum="raw", disk_format="raw", properties=marks)
    assert statuses(plan([make_master("a", disk_format="qcow2")], [copy])) == {"a": "ok"}


def test_conflict_warns_once() -> None:
    """A conflict without rule is one warning that names the region's checksum."""
    made = plan([make_master("a")], [make_image("a", checksum="ch5")])
    (said,) = warnings(made)
    assert said.startswith("Image a has a different checksum (ch5) in region Burgos")


@pytest.mark.parametrize(
    ("copy", "policy", "word"),
    [
        ({"checksum": None}, Policy(), "cannot be compared"),
        ({"disk_format": "raw"}, Policy(), "format"),
        ({"checksum": "x"}, Policy(replace=frozenset("x"), rename=frozenset("x")), "both replace and rename"),
    ],
    ids=["unverifiable", "format", "in both lists"],
)
def test_other_causes_warn_once(copy: dict, policy: Policy, word: str) -> None:
    """Whatever a person has to decide is one warning that names the image."""
    made = plan([make_master("a", disk_format="qcow2")], [make_image("a", **copy)], policy)
    (said,) = warnings(made)
    assert word in said
    assert "image a" in said.lower()


def ami(*to: str, **fields: object) -> dict:
    """Fields of an image that refers to one or two others."""
    return {"properties": dict(zip(("kernel_id", "ramdisk_id"), to, strict=False)), **fields}


KERNEL = make_master("k", size=10)


@pytest.mark.parametrize(
    ("region", "policy", "status", "reasons"),
    [
        pytest.param([make_image("k"), make_image("a", **ami("id-k"))], Policy(), "ok", (), id="ready"),
        pytest.param(
            [make_image("k"), make_image("a")], Policy(), "pending_metadata", ("kernel",), id="lacks it"
        ),
        pytest.param(
            [make_image("k"), make_image("a", **ami("m-k"))],
            Policy(),
            "pending_metadata",
            ("kernel",),
            id="wrong id",
        ),
        pytest.param([make_image("a", **ami("x"))], Policy(), "pending_ami", ("kernel",), id="kernel absent"),
        pytest.param(
            [make_image("k", checksum="x"), make_image("a", **ami("id-k"))],
            REPLACE,
            "pending_ami",
            ("kernel",),
            id="kernel to be replaced",
        ),
        pytest.param(
            [make_image("k", checksum="x"), make_image("a", **ami("id-k"))],
            RENAME,
            "pending_ami",
            ("kernel",),
            id="kernel to be renamed",
        ),
        pytest.param(
            [make_image("k", checksum="x"), make_image("a", **ami("id-k"))],
            Policy(),
            "ok",
            (),
            id="kernel in conflict",
        ),
        pytest.param(
            [make_image("k", checksum="x"), make_image("a", **ami("id-k"))],
            Policy(dontupdate=frozenset("x")),
            "ok",
            (),
            id="kernel stalled",
        ),
        pytest.param(
            [make_image("a", **ami("x"), visibility="private")],
            Policy(),
            "pending_ami",
            ("kernel", "visibility"),
            id="waiting goes before metadata",
        ),
        pytest.param([], Policy(), "pending_upload", (), id="both absent"),
    ],
)
@pytest.mark.parametrize("size", [5, 10, 20], ids=["smaller", "as large", "larger"])
def test_references(region: list, policy: Policy, status: str, reasons: tuple, size: int) -> None:
    """The state of references decides, whichever of the two images is larger (PR4)."""
    made = plan([KERNEL, make_master("a", **ami("m-k"), size=size)], region, policy)
    item = row_of(made, "a").item
    assert (item.status, item.reasons) == (status, reasons)


def test_reference_dropped_on_the_master() -> None:
    """A reference that the master no longer has is removed."""
    item = row_of(plan([make_master("a")], [make_image("a", **ami("id-k"))]), "a").item
    assert (item.status, item.reasons) == ("pending_metadata", ("kernel",))


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(None, id="absent"),
        pytest.param({}, id="present"),
        pytest.param({"checksum": "x"}, id="in conflict"),
        pytest.param({"visibility": "private"}, id="metadata differs"),
    ],
)
@pytest.mark.parametrize("policy", [REPLACE, RENAME, Policy()], ids=["replace", "rename", "no rule"])
def test_blocked(copy: dict | None, policy: Policy) -> None:
    """An image whose kernel is outside the selection is error_ami and never brought (PR5)."""
    master = [make_master("k", visibility="private"), make_master("a", **ami("m-k"))]
    made = plan(master, [] if copy is None else [make_image("a", **copy)], policy)
    assert statuses(made) == {"a": "error_ami"}
    assert row_of(made, "a").item.reasons == ("kernel",)
    assert not warnings(made)


def test_blocked_by_a_blocked_kernel() -> None:
    """The error spreads along absent images and stops at one that is there."""
    master = [
        make_master("a", **ami("m-k", "m-r")),
        make_master("k", **ami("m-x")),
        make_master("r"),
        make_master("x", visibility="private"),
    ]
    absent = plan(master, [])
    assert statuses(absent) == {"a": "error_ami", "k": "error_ami", "r": "pending_upload"}
    assert row_of(absent, "a").item.reasons == ("kernel",)
    assert statuses(plan(master, [make_image("k")])) == {
        "a": "pending_upload",
        "k": "error_ami",
        "r": "pending_upload",
    }


def test_dangling_reference_on_the_master() -> None:
    """An image whose kernel the master lost is error_ami; the others go on (PR3)."""
    made = plan([make_master("a", **ami("gone", "m-r")), make_master("r")], [])
    assert statuses(made) == {"a": "error_ami", "r": "pending_upload"}
    assert row_of(made, "a").item.reasons == ("kernel",)


def test_dangling_reference_that_looks_like_a_name() -> None:
    """A lost kernel's id is not mistaken for the name of another image."""
    made = plan([make_master("a", **ami("k")), make_master("k")], [make_image("k")])
    assert statuses(made) == {"a": "error_ami", "k": "ok"}
    assert row_of(made, "a").item.reasons == ("kernel",)


CONDITION = Policy(condition=parse_condition("image.user_properties['nid'] == '1'"))


def test_condition_that_cannot_be_told() -> None:
    """The image gets a row and one warning and is not touched; the others go on."""
    master = [make_master("bad"), make_master("good", properties={"nid": "1"})]
    made = plan(
        master, [make_image("bad", checksum="x", visibility="private")], replace(CONDITION, replace=ANY)
    )
    assert statuses(made) == {"bad": "error_condition", "good": "pending_upload"}
    assert row_of(made, "bad").destination is None
    (said,) = warnings(made)
    assert said.startswith("Image bad: metadata_condition cannot be evaluated: ")


def test_condition_that_cannot_be_told_for_a_kernel() -> None:
    """Such a kernel is not selected, so the image that needs it is blocked."""
    made = plan(
        [make_master("k"), make_master("a", **{**ami("m-k"), "id": "forced"})],
        [],
        replace(CONDITION, forcesyncs=frozenset({"forced"})),
    )
    assert statuses(made) == {"a": "error_ami", "k": "error_condition"}


ALL_TENANTS = Policy(only_tenant_images=False)


@pytest.mark.parametrize(
    ("copy", "rules", "status"),
    [
        pytest.param({}, {}, "ok", id="same content"),
        pytest.param({"visibility": "private", "properties": {"x": "1"}}, {}, "ok", id="metadata differs"),
        pytest.param({"checksum": "x"}, {}, "error_checksum", id="no. 120: other content"),
        pytest.param({"checksum": "x"}, {"replace": ANY}, "pending_replace", id="no. 122: replace"),
        pytest.param({"checksum": "x"}, {"rename": ANY}, "pending_rename", id="rename"),
        pytest.param({"checksum": "x"}, {"dontupdate": frozenset("x")}, "ok_stalled_checksum", id="stalled"),
    ],
)
def test_foreign_counterpart(copy: dict, rules: dict, status: str) -> None:
    """An image of another project is warned of, and never the object of a write."""
    made = plan([make_master("a")], [make_image("a", owner=OTHERS, **copy)], replace(ALL_TENANTS, **rules))
    row = row_of(made, "a")
    assert row.item.status == status
    assert "foreign" in row.item.reasons
    assert row.item.destination_id == "id-a"
    assert "owned by other tenant" in warnings(made)[0]
    if row.item.status.needs_content:
        assert row.destination is None


def test_foreign_counterpart_outside_our_tenant_only() -> None:
    """No. 119: with only_tenant_images ours is uploaded beside the foreign image."""
    made = plan([make_master("a")], [make_image("a", owner=OTHERS)])
    assert statuses(made) == {"a": "pending_upload"}
    assert len(warnings(made)) == 1


def test_foreign_counterpart_that_may_be_modified() -> None:
    """With modify_foreign it is treated like ours, and replacing it disposes of it."""
    policy = Policy(only_tenant_images=False, modify_foreign=True, replace=ANY)
    made = plan(
        [make_master("a"), make_master("b")],
        [make_image("a", owner=OTHERS, checksum="x"), make_image("b", owner=OTHERS, min_disk=1)],
        policy,
    )
    assert statuses(made) == {"a": "pending_replace", "b": "pending_metadata"}
    assert row_of(made, "a").destination is not None
    assert row_of(made, "a").item.reasons == ("checksum",)


SIGNED = {"img_signature": "s", "img_signature_certificate_uuid": "here"}


@pytest.mark.parametrize(
    ("policy", "copy", "status", "reasons"),
    [
        pytest.param(Policy(), None, "pending_upload", ("signature_dropped",), id="dropped on upload"),
        pytest.param(Policy(), {}, "ok", ("signature_dropped",), id="dropped, present"),
        pytest.param(Policy(certificate_map={"here": "there"}), None, "pending_upload", (), id="mapped"),
        pytest.param(
            Policy(signature_policy=SignaturePolicy.REQUIRE),
            None,
            "error_format",
            ("signature",),
            id="required",
        ),
        pytest.param(
            Policy(signature_policy=SignaturePolicy.REQUIRE),
            {},
            "error_format",
            ("signature",),
            id="required, present",
        ),
        pytest.param(
            Policy(signature_policy=SignaturePolicy.REQUIRE, replace=ANY),
            {"checksum": "x"},
            "error_format",
            ("signature",),
            id="required, to be replaced",
        ),
        pytest.param(
            Policy(signature_policy=SignaturePolicy.REQUIRE, dontupdate=frozenset("x")),
            {"checksum": "x"},
            "ok_stalled_checksum",
            ("checksum",),
            id="required, stalled",
        ),
    ],
)
def test_signatures(policy: Policy, copy: dict | None, status: str, reasons: tuple) -> None:
    """A signature without certificate in the region is dropped with a reason, or an error where required."""
    made = plan(
        [make_master("a", properties=SIGNED)], [] if copy is None else [make_image("a", **copy)], policy
    )
    item = row_of(made, "a").item
    assert (item.status, item.reasons) == (status, reasons)
    assert len(warnings(made)) == (1 if status == "error_format" else 0)


@pytest.mark.parametrize(
    ("source", "copy", "status", "reasons"),
    [
        ({"p1"}, {"q1"}, "ok", ()),
        ({"p1"}, set(), "pending_metadata", ("members",)),
        ({"p1", "p9"}, {"q1"}, "ok", ("members_unmapped",)),
        (set(), {"q1"}, "pending_metadata", ("members",)),
    ],
)
def test_members(source: set, copy: set, status: str, reasons: tuple) -> None:
    """Members that differ are metadata to write; one without mapping is only told."""
    policy = Policy(
        sync_visibility=VisibilityMode.EXACT,
        members_mode=SetMode.EXACT,
        project_map={"p1": "q1"},
        forcesyncs=frozenset({"m-a"}),
    )
    made = plan(
        [make_master("a", visibility="shared", members=frozenset(source))],
        [make_image("a", visibility="shared", members=frozenset(copy))],
        policy,
    )
    item = row_of(made, "a").item
    assert (item.status, item.reasons) == (status, reasons)


def test_stores() -> None:
    """A store that the target wants and the image is not in is something to do."""
    policy = Policy(stores=frozenset({"fast", "slow"}))
    item = row_of(plan([make_master("a")], [make_image("a", stores=frozenset({"fast"}))], policy), "a").item
    assert (item.status, item.reasons) == ("pending_metadata", ("stores",))


@pytest.mark.parametrize(
    ("copy", "policy", "deactivated"),
    [
        pytest.param({}, Policy(sync_deactivation=True), True, id="copy of a selected image"),
        pytest.param({}, Policy(), False, id="not asked for"),
        pytest.param({"checksum": "x"}, Policy(sync_deactivation=True), False, id="other content"),
        pytest.param({"checksum": None}, Policy(sync_deactivation=True), False, id="unknown content"),
        pytest.param({"owner": OTHERS}, Policy(sync_deactivation=True), False, id="of another project"),
        pytest.param({"status": "deactivated"}, Policy(sync_deactivation=True), False, id="already"),
        pytest.param(
            {}, Policy(sync_deactivation=True, metadata_set=frozenset({"x"})), False, id="not selected"
        ),
        pytest.param({}, replace(CONDITION, sync_deactivation=True), False, id="selection cannot be told"),
    ],
)
def test_deactivation(copy: dict, policy: Policy, deactivated: bool) -> None:
    """What the master deactivates is no source; its copies follow where the target wants it."""
    made = plan([make_master("a", status="deactivated")], [make_image("a", **copy)], policy)
    assert not made.images
    assert [image.id for image in made.deactivate] == (["id-a"] if deactivated else [])
    assert len(warnings(made)) == (1 if policy.condition else 0)


def test_leftovers_of_killed_runs() -> None:
    """Images in the making are handed on, and the row says that one is under way."""
    partial = make_image("syncline-partial-1", properties={WRITER: "w", TARGET_NAME: "a"})
    made = plan([make_master("a")], [partial])
    assert made.partials == (partial,)
    assert row_of(made, "a").item.reasons == ("in_progress",)


def test_unfinished_replacement() -> None:
    """A copy that was published before its predecessor was cleared away is the region's image."""
    new = make_image("a", id="new", properties={FINISH: "rename:old"})
    old = make_image("a", id="old", checksum="x")
    made = plan([make_master("a")], [old, new], RENAME)
    assert statuses(made) == {"a": "ok"}
    assert [(todo.image.id, todo.old.id) for todo in made.unfinished] == [("new", "old")]
    assert not warnings(made)


def test_names_that_are_taken() -> None:
    """Names that retiring images must not get: the region's, those to come, and those that are wanted."""
    master = [make_master("a_obsolete", checksum="same", visibility="private"), make_master("new.old")]
    made = plan(master, [make_image("a", checksum="same"), make_image("b", owner=OTHERS), make_image(None)])
    assert made.taken_names == {"a", "b", "a_obsolete", "new.old"}


def test_undecided_image_is_not_retired() -> None:
    """An image for which the condition cannot be told is not retired either."""
    made = plan(
        [make_master("a"), make_master("a_obsolete", checksum="same")],
        [make_image("a", checksum="same")],
        CONDITION,
    )
    assert statuses(made) == {"a": "error_condition"}
    assert not made.obsolete


def test_local_candidates() -> None:
    """The table for references holds every selected image that is there, whatever its status."""
    made = plan([make_master("a"), make_master("b")], [make_image("a", checksum="x"), make_image("c")])
    assert {name: image.id for name, image in made.local.items()} == {"a": "id-a"}
