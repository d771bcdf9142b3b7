"""What of a destination image differs from its master image (spec images 4.4, 14.1-14.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.sync.images.compare import (
    MemberChanges,
    Verdict,
    content_matches,
    content_verdict,
    format_conflicts,
    member_changes,
    metadata_changes,
    missing_stores,
    reasons,
)
from app.sync.images.conf.model import Policy, SetMode, VisibilityMode
from app.sync.images.model import Changes, Image
from app.sync.images.provenance import COPY_HASH, FINISH, SOURCE_HASH, WRITER
from tests.unit.images.builders import make_image, make_master

EXACT = Policy(sync_visibility=VisibilityMode.EXACT)
NO_IDS: dict[str, str] = {}


def hashes(
    checksum: str | None = None, algo: str | None = None, value: str | None = None, size: int | None = 9
) -> dict:
    """Fields of an image's content."""
    return {"checksum": checksum, "hash_algo": algo, "hash_value": value, "size": size}


@pytest.mark.parametrize(
    ("source", "copy", "verdict"),
    [
        pytest.param(hashes("m"), hashes("m"), Verdict.SAME, id="md5 equal"),
        pytest.param(hashes("m"), hashes("n"), Verdict.DIFFERENT, id="md5 differs"),
        pytest.param(hashes(None), hashes(None), Verdict.UNKNOWN, id="both unknown"),
        pytest.param(hashes("m"), hashes(None), Verdict.UNKNOWN, id="copy unknown"),
        pytest.param(hashes(""), hashes(""), Verdict.UNKNOWN, id="empty is unknown"),
        pytest.param(
            hashes("m", "sha512", "x"), hashes("n", "sha512", "x"), Verdict.SAME, id="hash goes before md5"
        ),
        pytest.param(
            hashes("m", "sha512", "x"), hashes("m", "sha512", "y"), Verdict.DIFFERENT, id="hash differs"
        ),
        pytest.param(
            hashes("m", "sha512", "x"), hashes("m", "sha256", "x"), Verdict.SAME, id="other algorithm: md5"
        ),
        pytest.param(
            hashes(None, "sha512", "x"), hashes(None, "sha256", "x"), Verdict.UNKNOWN, id="nothing in common"
        ),
        pytest.param(
            hashes("m", "sha512", None), hashes("m", "sha512", "x"), Verdict.SAME, id="hash missing: md5"
        ),
    ],
)
def test_content(source: dict, copy: dict, verdict: Verdict) -> None:
    """Content is equal if the best hash that both sides have is; null equals nothing."""
    master, image = make_master("a", **source), make_image("a", **copy)
    assert content_matches(master, image) is verdict
    assert content_verdict(master, image) is verdict


@pytest.mark.parametrize(
    ("source_size", "copy_size", "verdict"),
    [(9, 9, Verdict.SAME), (9, 8, Verdict.DIFFERENT), (None, 9, Verdict.SAME), (9, None, Verdict.SAME)],
)
def test_size_after_a_transfer(source_size: int | None, copy_size: int | None, verdict: Verdict) -> None:
    """A copy must have the master's size too; when planning the hash alone decides."""
    master, image = (
        make_master("a", **hashes("m", size=source_size)),
        make_image("a", **hashes("m", size=copy_size)),
    )
    assert content_matches(master, image) is verdict
    assert content_verdict(master, image) is Verdict.SAME


def test_size_differs_without_hashes() -> None:
    """Other sizes are other content even if there is no hash."""
    assert (
        content_matches(make_master("a", **hashes(size=1)), make_image("a", **hashes(size=2)))
        is Verdict.DIFFERENT
    )


@pytest.mark.parametrize(
    ("marks", "verdict"),
    [
        pytest.param(
            {SOURCE_HASH: "md5:m", COPY_HASH: "md5:raw"}, Verdict.SAME, id="made from it, unchanged"
        ),
        pytest.param(
            {SOURCE_HASH: "md5:older", COPY_HASH: "md5:raw"}, Verdict.DIFFERENT, id="made from older content"
        ),
        pytest.param({SOURCE_HASH: "md5:m", COPY_HASH: "md5:was"}, Verdict.DIFFERENT, id="changed since"),
        pytest.param({SOURCE_HASH: "md5:m"}, Verdict.DIFFERENT, id="half a record"),
        pytest.param({SOURCE_HASH: "", COPY_HASH: ""}, Verdict.DIFFERENT, id="empty record"),
    ],
)
def test_provenance(marks: dict[str, str], verdict: Verdict) -> None:
    """A copy that an import plugin converted is recognised by its record while it is unchanged."""
    master, image = make_master("a", checksum="m"), make_image("a", checksum="raw", properties=marks)
    assert content_verdict(master, image) is verdict
    assert content_verdict(master, image, trust_marks=False) is Verdict.DIFFERENT
    assert content_matches(master, image) is Verdict.DIFFERENT


@pytest.mark.parametrize(("source", "copy"), [(None, None), (None, "c"), ("c", None)])
def test_empty_provenance_of_unknown_content(source: str | None, copy: str | None) -> None:
    """Images without a hash are not the same because a mark about them is empty too."""
    marks = {SOURCE_HASH: f"md5:{source}" if source else "", COPY_HASH: f"md5:{copy}" if copy else ""}
    master, image = make_master("a", checksum=source), make_image("a", checksum=copy, properties=marks)
    assert content_verdict(master, image) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("source", "copy", "differs"),
    [
        (("qcow2", "bare"), ("qcow2", "bare"), False),
        (("qcow2", "bare"), ("raw", "bare"), True),
        (("ami", "ami"), ("ami", "bare"), True),
        ((None, None), ("raw", "bare"), False),
        (("qcow2", "bare"), (None, None), False),
    ],
)
def test_formats(source: tuple, copy: tuple, differs: bool) -> None:
    """Formats are compared where both sides tell them, and only between equal bytes."""
    left = make_master("a", disk_format=source[0], container_format=source[1])
    right = make_image("a", disk_format=copy[0], container_format=copy[1])
    assert format_conflicts(left, right) is differs
    assert not format_conflicts(left, replace(right, checksum="converted"))


@pytest.mark.parametrize(
    ("source", "copy", "legacy", "exact"),
    [
        ("public", "public", None, None),
        ("public", "private", "public", "public"),
        ("public", "community", "public", "public"),
        ("private", "public", "private", "private"),
        ("private", "shared", None, "private"),
        ("private", "community", None, "private"),
        ("shared", "public", "private", "shared"),
        ("shared", "private", None, "shared"),
        ("community", "community", None, None),
        ("community", "public", "private", "community"),
    ],
)
def test_visibility(source: str, copy: str, legacy: str | None, exact: str | None) -> None:
    """By default only public or not public follows the master; with ``exact`` the value itself."""
    left, right = make_master("a", visibility=source), make_image("a", visibility=copy)
    assert metadata_changes(left, right, Policy(), NO_IDS).visibility == legacy
    assert metadata_changes(left, right, EXACT, NO_IDS).visibility == exact


@pytest.mark.parametrize(
    ("attribute", "value", "policy"),
    [
        ("hidden", True, Policy(sync_hidden=True)),
        ("hidden", False, Policy(sync_hidden=True)),
        ("protected", True, Policy(sync_protected=True)),
        ("protected", False, Policy(sync_protected=True)),
        ("min_disk", 5, Policy()),
        ("min_ram", 512, Policy()),
        ("min_ram", 0, Policy()),
    ],
)
def test_attributes(attribute: str, value: object, policy: Policy) -> None:
    """Attributes that follow the master are written with its value, and named as the reason."""
    other = {True: False, False: True}.get(value, 7) if isinstance(value, bool) else 7
    left, right = make_master("a", **{attribute: value}), make_image("a", **{attribute: other})
    changes = metadata_changes(left, right, policy, NO_IDS)
    assert changes == Changes(**{attribute: value})
    assert reasons(changes) == (attribute,)
    assert not metadata_changes(left, make_image("a", **{attribute: value}), policy, NO_IDS)


@pytest.mark.parametrize("attribute", ["hidden", "protected"])
def test_optional_attributes_are_off_by_default(attribute: str) -> None:
    """Hidden and protected are local matters unless the target says otherwise."""
    left, right = make_master("a", **{attribute: True}), make_image("a")
    assert not metadata_changes(left, right, Policy(), NO_IDS)


@pytest.mark.parametrize(
    ("mode", "source", "copy", "written"),
    [
        (SetMode.OFF, {"x"}, set(), None),
        (SetMode.MERGE, {"x"}, {"y"}, {"x", "y"}),
        (SetMode.MERGE, {"x"}, {"x", "y"}, None),
        (SetMode.EXACT, {"x"}, {"x", "y"}, {"x"}),
        (SetMode.EXACT, set(), {"y"}, set()),
        (SetMode.EXACT, {"x"}, {"x"}, None),
    ],
)
def test_tags(mode: SetMode, source: set, copy: set, written: set | None) -> None:
    """Tags are left alone, added to, or made equal."""
    left, right = make_master("a", tags=frozenset(source)), make_image("a", tags=frozenset(copy))
    changes = metadata_changes(left, right, Policy(tags_mode=mode), NO_IDS)
    assert changes.tags == written
    assert reasons(changes) == (() if written is None else ("tags",))


IDS = {"k": "101", "r": "102"}
BOTH = {"kernel_id": "k", "ramdisk_id": "r"}


@pytest.mark.parametrize(
    ("source", "copy", "setting", "removing"),
    [
        pytest.param(BOTH, {"kernel_id": "101", "ramdisk_id": "102"}, {}, set(), id="right"),
        pytest.param(BOTH, {}, {"kernel_id": "101", "ramdisk_id": "102"}, set(), id="missing"),
        pytest.param(
            BOTH, {"kernel_id": "001", "ramdisk_id": "102"}, {"kernel_id": "101"}, set(), id="one wrong"
        ),
        pytest.param({}, {"kernel_id": "101"}, {}, {"kernel_id"}, id="none on the master"),
        pytest.param(
            {"kernel_id": "k"}, {"ramdisk_id": "101"}, {"kernel_id": "101"}, {"ramdisk_id"}, id="other key"
        ),
        pytest.param({"kernel_id": "gone"}, {"kernel_id": "9"}, {}, set(), id="unknown name: left as it is"),
        pytest.param({"kernel_id": "gone"}, {}, {}, set(), id="unknown name: left out"),
        pytest.param({}, {"kernel_id": None}, {}, set(), id="null is none"),
    ],
)
@pytest.mark.parametrize(
    "metadata_set", [frozenset(), frozenset({"nid"}), frozenset({"kernel_id", "ramdisk_id"})]
)
def test_references(source: dict, copy: dict, setting: dict, removing: set, metadata_set: frozenset) -> None:
    """References follow the master by name whatever the metadata set says; no placeholder is ever written."""
    left, right = make_master("a", properties=source), make_image("a", properties=copy)
    changes = metadata_changes(left, right, Policy(metadata_set=metadata_set), IDS)
    assert dict(changes.set_properties) == setting
    assert changes.remove_properties == removing


def test_marks_are_no_difference() -> None:
    """What Syncline notes on an image is neither a difference nor removed."""
    marks = {WRITER: "w", FINISH: "delete:1", SOURCE_HASH: "md5:x", COPY_HASH: "md5:y", "syncline_new": "1"}
    assert not metadata_changes(make_master("a"), make_image("a", properties=marks), Policy(), NO_IDS)
    assert not metadata_changes(make_master("a", properties=marks), make_image("a"), Policy(), NO_IDS)


def test_all_reasons_in_order() -> None:
    """Reasons name attributes, then references, then properties in alphabetical order."""
    left = make_master("a", min_disk=1, properties={"kernel_id": "k", "z": "1", "b": "1"})
    right = make_image("a", visibility="private", properties={"ramdisk_id": "5", "old": "1"})
    changes = metadata_changes(left, right, Policy(), IDS)
    assert reasons(changes) == (
        "visibility",
        "min_disk",
        "kernel",
        "ramdisk",
        "property:b",
        "property:old",
        "property:z",
    )


def shared(*members: str, **fields: object) -> Image:
    """A shared image with these members."""
    return make_image("a", **{"visibility": "shared", "members": frozenset(members), **fields})


MAP = {"p1": "q1", "p2": "q2"}


@pytest.mark.parametrize(
    ("mode", "source", "copy", "expected"),
    [
        (SetMode.OFF, shared("p1"), shared(), MemberChanges()),
        (SetMode.MERGE, shared("p1", "p2"), shared("q2", "q9"), MemberChanges(add=frozenset({"q1"}))),
        (
            SetMode.EXACT,
            shared("p1", "p3"),
            shared("q2"),
            MemberChanges(frozenset({"q1"}), frozenset({"q2"}), frozenset({"p3"})),
        ),
        (SetMode.EXACT, shared("p1", visibility="private"), shared("q2"), MemberChanges()),
        (SetMode.EXACT, shared("p1"), shared(visibility="private"), MemberChanges()),
    ],
    ids=["off", "merge", "exact", "master not shared", "destination not shared"],
)
def test_members(mode: SetMode, source: Image, copy: Image, expected: MemberChanges) -> None:
    """Members follow by the project map; one without an entry is left out and named."""
    assert member_changes(source, copy, Policy(members_mode=mode, project_map=MAP)) == expected


def test_members_of_an_image_about_to_be_shared() -> None:
    """Where the visibility will become shared the members are due as well."""
    policy = Policy(members_mode=SetMode.MERGE, project_map=MAP, sync_visibility=VisibilityMode.EXACT)
    assert member_changes(shared("p1"), shared(visibility="private"), policy).add == {"q1"}


@pytest.mark.parametrize(
    ("wanted", "present", "missing"),
    [
        ((), {"a"}, set()),
        (("a", "b"), {"a"}, {"b"}),
        (("a",), {"a", "c"}, set()),
        (("a",), set(), set()),
        (("all",), {"a"}, set()),
    ],
    ids=["no wish", "one missing", "more than wanted", "region tells none", "all"],
)
def test_stores(wanted: tuple, present: set, missing: set) -> None:
    """Stores that the target names and the image is not in; a region with one store tells none."""
    assert (
        missing_stores(make_image("a", stores=frozenset(present)), Policy(stores=frozenset(wanted)))
        == missing
    )
