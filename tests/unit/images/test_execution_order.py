"""The order in which content is brought (spec images PR4, PR6)."""

from __future__ import annotations

import pytest

from app.sync.images.conf.model import Policy
from app.sync.images.planner import execution_order
from tests.unit.images.builders import make_image, make_master, plan

KEYS = ("kernel_id", "ramdisk_id")


def order(images: dict[str, tuple], present: tuple = (), policy: Policy | None = None) -> list[str]:
    """Names in order of work, of images given as name -> (size, referenced names...)."""
    master = [
        make_master(name, size=size, properties=dict(zip(KEYS, (f"m-{other}" for other in to), strict=False)))
        for name, (size, *to) in images.items()
    ]
    return [row.item.name for row in execution_order(plan(master, present, policy))]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param({"b": (2,), "c": (1,), "a": (2,)}, "c a b", id="size, then name"),
        pytest.param({"ami": (1, "k", "r"), "k": (5,), "r": (3,)}, "r k ami", id="smallest last if it must"),
        pytest.param({"ami": (9, "k", "r"), "k": (5,), "r": (3,)}, "r k ami", id="largest last anyway"),
        pytest.param({"ami": (1, "k"), "k": (9,), "x": (5,)}, "x k ami", id="others keep their place"),
        pytest.param({"a": (1, "b"), "b": (2, "c"), "c": (3,)}, "c b a", id="chain"),
        pytest.param({"a": (1, "k"), "b": (2, "k"), "k": (3,)}, "k a b", id="one kernel of two"),
        pytest.param({"b": (1, "a"), "a": (2, "b")}, "b a", id="circle: the smallest first"),
        pytest.param(
            {"ami": (1, "a"), "a": (2, "b"), "b": (3, "a")}, "a ami b", id="circle, and one that needs it"
        ),
        pytest.param({"a": (1, "a")}, "a", id="itself"),
        pytest.param({"a": (1, "k", "k"), "k": (2,)}, "k a", id="kernel and ramdisk in one"),
        pytest.param(
            {"a": (1, "b"), "b": (2, "a"), "c": (3, "d", "a"), "d": (4, "c")}, "a b c d", id="two circles"
        ),
    ],
)
def test_order(images: dict, expected: str) -> None:
    """The smallest first, but what an image refers to before the image."""
    assert order(images) == expected.split()


def test_only_images_that_need_content() -> None:
    """Images that are there already are no part of the work, and do not hold it up."""
    images = {"ami": (1, "k"), "k": (5,), "x": (3,), "blocked": (2, "gone")}
    present = (make_image("k"), make_image("x", checksum="other"))
    assert order(images, present) == ["ami"]
    assert order(images, present, Policy(replace=frozenset({"any"}))) == ["ami", "x"]


def test_long_chains_and_many_circles() -> None:
    """Thousands of references are put in order without deep recursion."""
    chain = {f"{n:05}": (n, f"{n + 1:05}") if n < 4999 else (n,) for n in range(5000)}
    assert order(chain) == sorted(chain, reverse=True)
    circles = {f"{n:05}": (n, f"{n ^ 1:05}") for n in range(4000)}
    assert order(circles) == sorted(circles)
