"""What the master region offers (spec images 3.1, 14.8)."""

from __future__ import annotations

import pytest

from app.sync.images.catalog import build_catalog
from app.sync.images.provenance import TARGET_NAME, WRITER
from tests.unit.images.builders import MASTER, OTHERS, OURS, listing, make_catalog, make_master, warnings


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        pytest.param({}, True, id="active and ours"),
        pytest.param({"owner": None}, True, id="nobody's, null"),
        pytest.param({"owner": ""}, True, id="nobody's, empty"),
        pytest.param({"owner": OURS.rjust(32, "0")}, True, id="ours, padded with zeros"),
        pytest.param({"owner": OTHERS}, False, id="of another project"),
        pytest.param({"status": "queued"}, False, id="queued"),
        pytest.param({"status": "error"}, False, id="error"),
        pytest.param({"status": "deactivated"}, False, id="deactivated"),
        pytest.param({"visibility": "private"}, True, id="private"),
        pytest.param({"size": None, "checksum": None}, True, id="size and checksum unknown"),
        pytest.param({"properties": {WRITER: "w", TARGET_NAME: "a"}}, False, id="in the making"),
    ],
)
def test_usable_images(fields: dict, kept: bool) -> None:
    """Only active, named images that are nobody's or ours are synchronised."""
    assert ("a" in make_catalog(make_master("a", **fields)).images) is kept


@pytest.mark.parametrize("name", [None, ""])
def test_unnamed_images(name: str | None) -> None:
    """An image without a name has no counterpart anywhere."""
    assert not make_catalog(make_master(name)).images


def test_duplicates_are_dropped_with_one_warning() -> None:
    """Names carried by several usable images are dropped, with one warning per name."""
    catalog = make_catalog(
        *(make_master("b", id=f"b{n}") for n in range(3)),
        make_master("a", id="a1"),
        make_master("a"),
        make_master("c"),
    )
    assert set(catalog.images) == {"c"}
    assert warnings(catalog) == [
        "Duplicated images with name a will be ignored",
        "Duplicated images with name b will be ignored",
    ]


@pytest.mark.parametrize("second", [{"status": "queued"}, {"owner": OTHERS}, {"status": "deactivated"}])
def test_unusable_second_makes_no_duplicate(second: dict) -> None:
    """A same-named image that is not usable does not take the usable one away."""
    catalog = make_catalog(make_master("a"), make_master("a", id="second", **second))
    assert catalog.images["a"].id == "m-a"
    assert not catalog.notices
    assert not catalog.deactivated


def test_references_become_names() -> None:
    """Kernel and ramdisk ids are replaced by names; the listing itself is not changed."""
    ami = make_master("ami", properties={"kernel_id": "m-k", "ramdisk_id": "m-r", "nid": "1"})
    catalog = make_catalog(ami, make_master("k"), make_master("r"))
    assert catalog.images["ami"].properties == {"kernel_id": "k", "ramdisk_id": "r", "nid": "1"}
    assert ami.properties["kernel_id"] == "m-k"
    assert not catalog.broken


@pytest.mark.parametrize("empty", ["", None])
def test_empty_reference_is_removed(empty: str | None) -> None:
    """A reference without value is no reference."""
    catalog = make_catalog(make_master("ami", properties={"kernel_id": empty, "nid": "1"}))
    assert catalog.images["ami"].properties == {"nid": "1"}
    assert not catalog.broken


@pytest.mark.parametrize(
    "kernels",
    [
        pytest.param((), id="deleted"),
        pytest.param((make_master("k", status="queued"),), id="inactive"),
        pytest.param((make_master("k", owner=OTHERS),), id="of another project"),
        pytest.param((make_master("k"), make_master("k", id="k2")), id="name carried twice"),
        pytest.param((make_master("k", status="deactivated"),), id="deactivated"),
    ],
)
def test_dangling_reference(kernels: tuple) -> None:
    """An id that leads to no usable image marks its image, with a warning, and stops nothing else (PR3)."""
    ami = make_master("ami", properties={"kernel_id": "m-k"})
    catalog = make_catalog(ami, make_master("other"), *kernels)
    assert catalog.broken == {"ami": ("kernel_id",)}
    assert {"ami", "other"} <= set(catalog.images)
    (said,) = [text for text in warnings(catalog) if "ami" in text]
    assert "kernel_id m-k" in said


def test_dangling_references_are_told_one_by_one() -> None:
    """Each dangling reference is one warning; a retired image is nobody's concern."""
    both = {"kernel_id": "x", "ramdisk_id": "y"}
    catalog = make_catalog(make_master("a", properties=both), make_master("b_obsolete", properties=both))
    assert catalog.broken["a"] == ("kernel_id", "ramdisk_id")
    assert len(warnings(catalog)) == 2
    assert all(text.startswith("Image a:") for text in warnings(catalog))


def test_deactivated_master_images() -> None:
    """A deactivated image is remembered by name, unless the name stands for several."""
    deactivated = {"status": "deactivated"}
    catalog = make_catalog(
        make_master("a", **deactivated),
        make_master("b", **deactivated),
        make_master("b", id="b2", **deactivated),
        make_master("c", owner=OTHERS, **deactivated),
        make_master("d", id="d1"),
        make_master("d", id="d2"),
        make_master("d", id="d3", **deactivated),
    )
    assert set(catalog.deactivated) == {"a"}


def test_empty_master() -> None:
    """A master without images is a master with nothing to offer."""
    catalog = build_catalog(listing(region=MASTER))
    assert catalog.region == MASTER
    assert not catalog.images
    assert not catalog.notices
