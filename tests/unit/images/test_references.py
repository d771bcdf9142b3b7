"""Kernel and ramdisk references (spec images 4.5, 5.2, PR3, PR5)."""

from __future__ import annotations

import pytest

from app.sync.images.references import blocked_names, missing_references, names, translated
from tests.unit.images.builders import make_master

AMI = make_master("ami", properties={"kernel_id": "k", "ramdisk_id": "r", "nid": "1"})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, ()),
        ({"nid": "1"}, ()),
        ({"ramdisk_id": "r", "kernel_id": "k"}, (("kernel_id", "k"), ("ramdisk_id", "r"))),
        ({"kernel_id": "", "ramdisk_id": None}, ()),
        ({"kernel_id": 7}, (("kernel_id", "7"),)),
    ],
)
def test_names(properties: dict, expected: tuple) -> None:
    """References are listed kernel first; empty ones are none."""
    assert names(make_master("a", properties=properties)) == expected


@pytest.mark.parametrize(
    ("ids", "found", "missing"),
    [
        ({"k": "1", "r": "2"}, {"kernel_id": "1", "ramdisk_id": "2"}, ()),
        ({"r": "2"}, {"ramdisk_id": "2"}, (("kernel_id", "k"),)),
        ({}, {}, (("kernel_id", "k"), ("ramdisk_id", "r"))),
    ],
)
def test_translation(ids: dict, found: dict, missing: tuple) -> None:
    """What the region has is translated, what it has not is left out and named."""
    assert translated(AMI, ids) == found
    assert missing_references(AMI, ids) == missing


def blocked(edges: dict[str, tuple[str, ...]], *, broken: str = "", absent: str = "") -> set[str]:
    """Blocked names, of images given as name -> the one or two they refer to."""
    selected = {
        name: make_master(name, properties=dict(zip(("kernel_id", "ramdisk_id"), to, strict=False)))
        for name, to in edges.items()
    }
    return set(blocked_names(selected, broken.split(), frozenset(absent.split())))


@pytest.mark.parametrize(
    ("edges", "broken", "absent", "expected"),
    [
        pytest.param({"a": ("k",), "k": ()}, "", "a k", set(), id="reference inside the selection"),
        pytest.param({"a": ("x",)}, "", "", {"a"}, id="leaves the selection, present"),
        pytest.param({"a": ("k", "x"), "k": ()}, "", "a k", {"a"}, id="one of two leaves"),
        pytest.param({"a": ("b",), "b": ("x",)}, "", "a b", {"a", "b"}, id="leads to an absent blocked one"),
        pytest.param({"a": ("b",), "b": ("x",)}, "", "a", {"b"}, id="leads to a present blocked one"),
        pytest.param(
            {"a": ("b",), "b": ("c",), "c": ("x",)}, "", "a b c", {"a", "b", "c"}, id="chain, all absent"
        ),
        pytest.param(
            {"a": ("b",), "b": ("c",), "c": ("x",)},
            "",
            "a c",
            {"b", "c"},
            id="chain, broken by a present one",
        ),
        pytest.param({"a": ("b",), "b": ("a",)}, "", "a b", set(), id="circle"),
        pytest.param({"a": ("b", "x"), "b": ("a",)}, "", "a b", {"a", "b"}, id="circle with a way out"),
        pytest.param({"a": ("a",)}, "", "a", set(), id="itself"),
        pytest.param({"a": (), "b": ("a",)}, "a", "a b", {"a", "b"}, id="dangling on the master"),
        pytest.param({"a": ()}, "elsewhere", "a", set(), id="dangling, not selected"),
    ],
)
def test_blocked(edges: dict, broken: str, absent: str, expected: set[str]) -> None:
    """Blocked is what leaves the selection, or leads to an absent image that is blocked itself."""
    assert blocked(edges, broken=broken, absent=absent) == expected


def test_long_chain() -> None:
    """A chain of ten thousand references is followed to its end without deep recursion."""
    edges = {str(n): (str(n + 1),) for n in range(10_000)}
    assert len(blocked(edges, absent=" ".join(edges))) == 10_000
