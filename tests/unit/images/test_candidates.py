"""Which images of a region stand for the master's (spec images 4.1, 14.6, 14.8)."""

from __future__ import annotations

import pytest

from app.sync.images.candidates import Candidates, find_candidates
from app.sync.images.conf.model import Policy
from app.sync.images.model import Image
from app.sync.images.provenance import (
    COPY_HASH,
    FINISH,
    SOURCE_HASH,
    TARGET_NAME,
    WRITER,
    Disposal,
    finish_mark,
)
from tests.unit.images.builders import OTHERS, OURS, listing, make_catalog, make_image, make_master

SELECTED = make_catalog(make_master("a", checksum="match"), make_master("b")).images
ALL_TENANTS = Policy(only_tenant_images=False)
MODIFY = Policy(only_tenant_images=False, modify_foreign=True)
PARTIAL = {WRITER: "w", TARGET_NAME: "a"}


def find(*images: Image, policy: Policy | None = None) -> Candidates:
    """The candidates among these images for a selection of ``a`` and ``b``."""
    return find_candidates(listing(*images), SELECTED, policy or Policy())


def a(image_id: str, checksum: str = "match", **fields: object) -> Image:
    """An image named ``a``; with the default checksum it has the master's content."""
    return make_image("a", id=image_id, checksum=checksum, **fields)


def said(found: Candidates) -> list[str]:
    """Texts of the warnings."""
    return [notice.message for notice in found.notices]


def test_names_outside_the_selection_are_skipped_silently() -> None:
    """Images that the selection does not name are not looked at, whatever their state."""
    found = find(
        make_image("x"), make_image("y", owner=OTHERS), make_image(None), make_image("z", status="queued")
    )
    assert not found.by_name
    assert not found.notices


@pytest.mark.parametrize(
    ("policy", "counts"),
    [
        pytest.param(Policy(), False, id="only our tenant"),
        pytest.param(ALL_TENANTS, True, id="all tenants"),
        pytest.param(MODIFY, True, id="all tenants, writable"),
    ],
)
def test_foreign_images(policy: Policy, counts: bool) -> None:
    """An image of another project is warned of, and counts only where the target says so."""
    found = find(a("1", owner=OTHERS), policy=policy)
    assert ("a" in found.by_name) is counts
    assert said(found) == [f"Burgos: image a (UUID 1) is owned by other tenant: {OTHERS}"]
    assert found.foreign == ({"a"} if policy is ALL_TENANTS else set())


@pytest.mark.parametrize("owner", [None, "", OURS, OURS.rjust(32, "0")])
def test_our_images(owner: str | None) -> None:
    """Nobody's images count as ours, and leading zeros of a project id do not matter."""
    found = find(a("1", owner=owner))
    assert found.by_name["a"].id == "1"
    assert not found.notices


@pytest.mark.parametrize(
    ("status", "in_progress"),
    [
        ("queued", True),
        ("saving", True),
        ("uploading", True),
        ("importing", True),
        ("killed", False),
        ("error", False),
    ],
)
def test_images_without_content(status: str, in_progress: bool) -> None:
    """An image that is not active counts as absent, with a warning about its state."""
    found = find(a("1", status=status))
    assert not found.by_name
    assert said(found) == [f"Burgos: state of image a with UUID 1  is not active: {status}"]
    assert found.in_progress == ({"a"} if in_progress else set())


def test_foreign_image_without_content_is_not_in_progress() -> None:
    """What another project is uploading is no copy of ours."""
    found = find(a("1", status="queued", owner=OTHERS), policy=ALL_TENANTS)
    assert len(found.notices) == 2
    assert not found.in_progress


def test_deactivated_image_is_present() -> None:
    """A deactivated image counts, so that no twin is uploaded beside it."""
    found = find(a("1", status="deactivated"))
    assert found.by_name["a"].id == "1"
    assert not found.notices


@pytest.mark.parametrize(
    ("checksums", "winner"),
    [
        pytest.param(("x", "match", "y"), 1, id="match in the middle"),
        pytest.param(("match", "x"), 0, id="match first"),
        pytest.param(("x", "match"), 1, id="match last"),
        pytest.param(("x", "y", "z"), 0, id="no match: the first"),
        pytest.param(("match", "match"), 0, id="two matches: the first"),
        pytest.param((None, "x"), 0, id="unknown is no match"),
    ],
)
def test_duplicates(checksums: tuple[str, ...], winner: int) -> None:
    """Of n same-named images the first with the master's content wins, with n - 1 warnings."""
    found = find(*(a(str(n), checksum) for n, checksum in enumerate(checksums)))
    assert found.by_name["a"].id == str(winner)
    assert len(found.notices) == len(checksums) - 1


def test_duplicate_warning_names_newcomer_then_earlier() -> None:
    """The warning holds both ids, the new one first."""
    assert said(find(a("1", "x"), a("2", "y"))) == ["Burgos: image name a is duplicated. UUIDs: 2 1"]


@pytest.mark.parametrize(
    ("images", "winner"),
    [
        pytest.param((("1", "old", OTHERS), ("2", "old", OURS)), "2", id="ours before theirs"),
        pytest.param((("1", "old", OURS), ("2", "old", OTHERS)), "1", id="ours stays"),
        pytest.param((("1", "match", OTHERS), ("2", "old", OURS)), "1", id="content before owner"),
        pytest.param((("1", "match", OTHERS), ("2", "match", OURS)), "2", id="both match: ours"),
        pytest.param(
            (("1", "old", OTHERS), ("2", "match", OURS), ("3", "older", OURS)), "2", id="ours that matches"
        ),
    ],
)
def test_duplicates_of_several_projects(images: tuple, winner: str) -> None:
    """Among equals an image that we may write is taken, so that copies do not pile up."""
    found = find(*(a(i, checksum, owner=owner) for i, checksum, owner in images), policy=ALL_TENANTS)
    assert found.by_name["a"].id == winner
    assert found.foreign == ({"a"} if found.by_name["a"].owner == OTHERS else set())


@pytest.mark.parametrize("formats", [("qcow2", "raw"), ("raw", "qcow2")])
def test_duplicates_in_two_formats(formats: tuple[str, str]) -> None:
    """Of two copies with the master's content the one in the master's format is taken."""
    selected = make_catalog(make_master("a", checksum="match", disk_format="raw")).images
    region = listing(*(a(str(n), disk_format=text) for n, text in enumerate(formats)))
    assert find_candidates(region, selected, Policy()).by_name["a"].disk_format == "raw"


def test_owner_does_not_matter_where_foreign_images_may_be_written() -> None:
    """With modify_foreign the listing alone decides among equals, as in the original."""
    found = find(a("1", "old", owner=OTHERS), a("2", "old"), policy=MODIFY)
    assert found.by_name["a"].id == "1"


def test_partials() -> None:
    """An image in the making is no candidate, no duplicate and no inactive image."""
    found = find(a("1"), a("2", properties=PARTIAL), a("3", status="queued", properties=PARTIAL))
    assert found.by_name["a"].id == "1"
    assert [image.id for image in found.partials] == ["2", "3"]
    assert found.in_progress == {"a"}
    assert not found.notices


def test_partials_of_others_are_left_alone() -> None:
    """What looks like ours but belongs to another project is neither used nor cleaned away."""
    found = find(a("1", properties=PARTIAL, owner=OTHERS), policy=ALL_TENANTS)
    assert not found.partials
    assert not found.by_name
    assert not found.in_progress


@pytest.mark.parametrize("disposal", list(Disposal))
@pytest.mark.parametrize("old_first", [True, False])
def test_unfinished_replacement(disposal: Disposal, old_first: bool) -> None:
    """A published copy is the candidate while its predecessor, still listed, is no duplicate."""
    new, old = a("2", properties={FINISH: finish_mark(disposal, "1")}), a("1", "old")
    found = find(*((old, new) if old_first else (new, old)))
    assert found.by_name["a"] is new
    ((image, replaced, what),) = [(u.image, u.old, u.disposal) for u in found.unfinished]
    assert (image, replaced, what) == (new, old, disposal)
    assert not found.notices


@pytest.mark.parametrize(
    ("new", "old"),
    [
        pytest.param({}, {"id": "gone"}, id="predecessor is gone"),
        pytest.param({}, {"name": "a.old"}, id="predecessor is renamed"),
        pytest.param({}, {"properties": PARTIAL}, id="predecessor is itself in the making"),
        pytest.param({"owner": OTHERS}, {}, id="mark on a foreign image"),
        pytest.param({}, {"owner": OTHERS}, id="mark points at a foreign image"),
        pytest.param({"status": "queued"}, {}, id="copy without content"),
        pytest.param({"properties": {FINISH: "explode:1"}}, {}, id="unknown word"),
        pytest.param({"properties": {FINISH: "delete:2"}}, {}, id="points at itself"),
    ],
)
def test_marks_that_finish_nothing(new: dict, old: dict) -> None:
    """A mark never makes us touch what is not the predecessor or not ours."""
    marked = a("2", **{"properties": {FINISH: finish_mark(Disposal.DELETE, "1")}, **new})
    other = make_image(**{"name": "a", "id": "1", "checksum": "old", **old})
    found = find(marked, other, policy=ALL_TENANTS)
    assert not [todo for todo in found.unfinished if todo.old is not None]


@pytest.mark.parametrize("old", [{"id": "gone"}, {"name": "a.old"}], ids=["deleted", "renamed"])
def test_mark_of_a_finished_replacement_is_taken_off(old: dict) -> None:
    """A run killed after the last step but one leaves only a mark, and that is cleared."""
    marked = a("2", properties={FINISH: finish_mark(Disposal.DELETE, "1")})
    other = make_image(**{"name": "a", "id": "1", "checksum": "old", **old})
    assert [(todo.image, todo.old) for todo in find(marked, other).unfinished] == [(marked, None)]


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"1": "2", "2": "1"}, id="each replaces the other"),
        pytest.param({"1": "2", "2": "3", "3": "1"}, id="circle of three"),
        pytest.param({"2": "1", "3": "1"}, id="two replace one"),
        pytest.param({"2": "1", "3": "2"}, id="chain"),
    ],
)
def test_contradicting_marks(marks: dict[str, str]) -> None:
    """Whatever the marks say, what is to be kept is never what is to be cleared away."""
    images = [a(i, properties={FINISH: f"delete:{marks[i]}"} if i in marks else {}) for i in ("1", "2", "3")]
    found = find(*images)
    kept, old = {u.image.id for u in found.unfinished}, [u.old.id for u in found.unfinished if u.old]
    assert kept
    assert not kept & set(old)
    assert len(old) == len(set(old))
    assert found.by_name["a"].id not in old


def test_foreign_predecessor_with_permission() -> None:
    """With modify_foreign the replacement of a foreign image is finished too."""
    marked = a("2", properties={FINISH: finish_mark(Disposal.DELETE, "1")})
    assert find(marked, a("1", "old", owner=OTHERS), policy=MODIFY).unfinished


def test_provenance_decides_among_duplicates() -> None:
    """A converted copy with the marks of this content is a match, on an image of ours only."""
    marks = {SOURCE_HASH: "md5:match", COPY_HASH: "md5:converted"}
    ours = find(a("1", "x"), a("2", "converted", properties=marks))
    assert ours.by_name["a"].id == "2"
    theirs = find(a("1", "x"), a("2", "converted", properties=marks, owner=OTHERS), policy=ALL_TENANTS)
    assert theirs.by_name["a"].id == "1"


def test_region_name_comes_from_the_listing() -> None:
    """Warnings name the region that was listed, not what the record says of itself."""
    found = find(a("1", owner=OTHERS, region="Elsewhere"))
    assert said(found)[0].startswith("Burgos: ")
