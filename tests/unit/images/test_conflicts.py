"""Other content under a master's name, and the three lists (spec images 3.3, 4.3, 14.5)."""

from __future__ import annotations

import pytest

from app.sync.images.conf.model import Policy
from app.sync.images.conflicts import conflict_status, content_keys, in_both_lists
from app.sync.status import Status
from tests.unit.images.builders import make_image

IMAGE = make_image("a", checksum="c2", hash_algo="sha512", hash_value="h2")


def lists(**given: str) -> Policy:
    """A policy whose lists are given as comma-separated text."""
    return Policy(**{name: frozenset(filter(None, text.split(","))) for name, text in given.items()})


@pytest.mark.parametrize(
    ("given", "status"),
    [
        pytest.param({}, Status.ERROR_CHECKSUM, id="no rule"),
        pytest.param(
            {"dontupdate": "c2", "replace": "c2,any", "rename": "any"}, Status.OK_STALLED_CHECKSUM, id="leave"
        ),
        pytest.param({"replace": "c2,any", "rename": "any"}, Status.PENDING_REPLACE, id="named in replace"),
        pytest.param(
            {"replace": "c1,any", "rename": "any"}, Status.PENDING_RENAME, id="any: rename goes first"
        ),
        pytest.param({"replace": "any", "rename": "c2"}, Status.PENDING_RENAME, id="named in rename"),
        pytest.param({"replace": "c2", "rename": "c2"}, Status.PENDING_REPLACE, id="named in both"),
        pytest.param({"replace": "any"}, Status.PENDING_REPLACE, id="replace any"),
        pytest.param(
            {"replace": "c1", "rename": "c3", "dontupdate": "c4"}, Status.ERROR_CHECKSUM, id="unrelated"
        ),
        pytest.param({"dontupdate": "any"}, Status.ERROR_CHECKSUM, id="any is only text in dontupdate"),
        pytest.param({"replace": "ANY"}, Status.ERROR_CHECKSUM, id="any is lower case"),
    ],
)
def test_order_of_rules(given: dict[str, str], status: Status) -> None:
    """The first list that applies decides, in the order of the original's code."""
    assert conflict_status(IMAGE, lists(**given)) is status


@pytest.mark.parametrize("spelling", ["c2", "md5:c2", "sha512:h2"])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("dontupdate", Status.OK_STALLED_CHECKSUM),
        ("replace", Status.PENDING_REPLACE),
        ("rename", Status.PENDING_RENAME),
    ],
)
def test_spellings(spelling: str, name: str, status: Status) -> None:
    """Each list takes the bare MD5 and algorithm:hex."""
    assert conflict_status(IMAGE, lists(**{name: spelling})) is status


@pytest.mark.parametrize("spelling", ["h2", "sha256:h2", "sha512:c2", ":c2"])
def test_wrong_spellings(spelling: str) -> None:
    """A hash without its algorithm, or with another one, names nothing."""
    assert conflict_status(IMAGE, lists(replace=spelling)) is Status.ERROR_CHECKSUM


def test_unknown_content_has_no_name() -> None:
    """An image without hashes is in no list."""
    assert content_keys(make_image("a", checksum=None)) == frozenset()
    assert content_keys(make_image("a", checksum="", hash_algo="sha512")) == frozenset()


@pytest.mark.parametrize(
    ("replace", "rename", "both"),
    [
        ("c2", "c2", True),
        ("c2", "sha512:h2", True),
        ("c2", "any", False),
        ("any", "c2", False),
        ("any", "any", False),
    ],
)
def test_in_both_lists(replace: str, rename: str, both: bool) -> None:
    """Only a checksum named in both lists contradicts itself; ``any`` does not."""
    assert in_both_lists(IMAGE, lists(replace=replace, rename=rename)) is both
