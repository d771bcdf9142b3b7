"""What Glance is told: exactly what a draft or a change says, in the form it accepts."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ForbiddenError
from app.sync.images.model import Changes, Draft
from app.sync.images.stores.glance.patches import (
    attribute_operations,
    creation_body,
    key_of,
    pointer,
    property_operations,
)
from app.sync.images.stores.glance.records import BASE_ATTRIBUTES, is_reserved


def test_draft_becomes_a_private_image_under_its_temporary_name() -> None:
    """Nothing half-done is ever visible: the final name and visibility come later."""
    draft = Draft(
        "final", "syncline-partial-1", {"nid": 7, "flag": True, "none": None}, "raw", "bare", 2, 64, True,
        frozenset({"b", "a"}),
    )  # fmt: skip
    assert creation_body(draft, "id-1") == {
        "id": "id-1",
        "name": "syncline-partial-1",
        "visibility": "private",
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 2,
        "min_ram": 64,
        "os_hidden": True,
        "tags": ["a", "b"],
        "nid": "7",
        "flag": "True",
    }


def test_unknown_formats_are_left_out() -> None:
    """A draft without formats asks for none; a Glance without hidden images is not asked for one."""
    body = creation_body(Draft("n", "t", {}), "i")
    assert not body.keys() & {"disk_format", "container_format", "os_hidden"}


@pytest.mark.parametrize("key", [*sorted(BASE_ATTRIBUTES), "os_glance_x", "os_glance_importing_to_stores"])
def test_property_cannot_pose_as_an_attribute(key: str) -> None:
    """A property named like an attribute of Glance is refused: it could publish an unverified image."""
    with pytest.raises(ForbiddenError, match=key):
        creation_body(Draft("n", "t", {key: "public", "fine": "1"}), "i")
    with pytest.raises(ForbiddenError, match=key):
        property_operations(Changes(set_properties={key: "public"}))


ATTRIBUTES: list[tuple[Changes, dict[str, Any]]] = [
    (Changes(), {}),
    (Changes(name="n"), {"name": "n"}),
    (Changes(visibility="public"), {"visibility": "public"}),
    (Changes(hidden=False), {"os_hidden": False}),
    (Changes(protected=True), {"protected": True}),
    (Changes(min_disk=0, min_ram=5), {"min_disk": 0, "min_ram": 5}),
    (Changes(tags=frozenset({"z", "a"})), {"tags": ["a", "z"]}),
    (Changes(tags=frozenset()), {"tags": []}),
]


@pytest.mark.parametrize(("changes", "expected"), ATTRIBUTES, ids=[str(sorted(e)) for _, e in ATTRIBUTES])
def test_only_named_attributes_are_written(changes: Changes, expected: dict[str, Any]) -> None:
    """An update touches only what the change names; false, zero and empty are values too."""
    operations = attribute_operations(changes)
    assert {key_of(each): each["value"] for each in operations} == expected
    assert all(each["op"] == "replace" for each in operations)


@pytest.mark.parametrize(
    ("key", "path"),
    [("a", "/a"), ("a/b", "/a~1b"), ("a~b", "/a~0b"), ("~1", "/~01"), ("/", "/~1")],
)
def test_keys_are_escaped(key: str, path: str) -> None:
    """Slash and tilde in a property name reach the server as they are (spec 14.4)."""
    assert pointer(key) == path
    assert key_of({"path": path}) == key


def test_value_none_removes() -> None:
    """A property without value is removed, once, and never written as a null."""
    changes = Changes(set_properties={"a": None, "b": 1}, remove_properties=frozenset({"a", "b", "c"}))
    assert property_operations(changes) == [
        {"op": "add", "path": "/b", "value": "1"},
        {"op": "remove", "path": "/a"},
        {"op": "remove", "path": "/c"},
    ]
    assert property_operations(changes, frozenset({"c"})) == [
        {"op": "add", "path": "/b", "value": "1"},
        {"op": "remove", "path": "/c"},
    ]


keys = st.text(min_size=1, max_size=8).filter(lambda key: not is_reserved(key))
held = st.one_of(st.text(max_size=5), st.integers(), st.booleans())
properties = st.dictionaries(keys, held, max_size=5)


@given(
    properties, st.dictionaries(keys, st.one_of(st.none(), held), max_size=5), st.frozensets(keys, max_size=3)
)
def test_patch_does_what_the_change_says(
    before: dict[str, Any], setting: dict[str, Any], removing: frozenset[str]
) -> None:
    """Applied to any image the patch sets and removes the named properties and leaves the others."""
    record = {key: str(value) for key, value in before.items()}
    operations = property_operations(
        Changes(set_properties=setting, remove_properties=removing), frozenset(record)
    )
    after = jsonpatch.apply_patch(record, json.loads(json.dumps(operations)))
    written = {key: str(value) for key, value in setting.items() if value is not None}
    gone = removing | setting.keys()
    assert after == {k: v for k, v in record.items() if k not in gone} | written
