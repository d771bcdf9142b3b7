"""What Glance lists becomes an image record, whatever is null, missing or strange in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadAnswerError
from app.sync.images.stores.glance.records import (
    BASE_ATTRIBUTES,
    image_from_record,
    is_reserved,
    user_properties,
)

RECORD: dict[str, Any] = {
    "id": "b1",
    "name": "debian-12",
    "status": "active",
    "visibility": "public",
    "size": 2048,
    "virtual_size": 4096,
    "checksum": "0a1b",
    "owner": "42",
    "protected": True,
    "min_disk": 3,
    "min_ram": 64,
    "os_hidden": True,
    "os_hash_algo": "sha512",
    "os_hash_value": "ffee",
    "disk_format": "qcow2",
    "container_format": "bare",
    "tags": ["b", "a"],
    "stores": "fast,slow",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-02T00:00:00Z",
    "self": "/v2/images/b1",
    "file": "/v2/images/b1/file",
    "schema": "/v2/schemas/image",
    "locations": [],
    "direct_url": "file:///x",
    "os_glance_failed_import": "fast",
    "os_distro": "debian",
    "nid": "77",
    "kernel_id": None,
}


def test_every_attribute_is_taken_over() -> None:
    """All that is compared or copied later is in the record of the image (spec 1.1, 14.3)."""
    image = image_from_record("Burgos", RECORD)
    assert (image.region, image.id, image.name, image.status) == ("Burgos", "b1", "debian-12", "active")
    assert (image.size, image.checksum, image.owner, image.visibility) == (2048, "0a1b", "42", "public")
    assert (image.hash_algo, image.hash_value) == ("sha512", "ffee")
    assert (image.disk_format, image.container_format) == ("qcow2", "bare")
    assert (image.min_disk, image.min_ram, image.protected, image.hidden) == (3, 64, True, True)
    assert (image.tags, image.stores) == ({"a", "b"}, {"fast", "slow"})
    assert image.created_at == "2026-01-01T00:00:00Z"
    assert image.raw == RECORD


def test_properties_are_the_users_own() -> None:
    """Attributes of Glance and properties without value are no user properties (spec 14.4)."""
    assert dict(image_from_record("Burgos", RECORD).properties) == {"os_distro": "debian", "nid": "77"}


def test_queued_image_is_known_although_nearly_all_is_null() -> None:
    """Null name, size, checksum and owner mean unknown and stop nothing (spec 14.1)."""
    nulls = dict.fromkeys(set(RECORD) - {"id", "status"})
    image = image_from_record("Burgos", {"id": "b1", "status": "queued", **nulls})
    assert (image.name, image.size, image.checksum, image.owner) == (None, None, None, None)
    assert (image.min_disk, image.min_ram, image.protected, image.hidden) == (0, 0, False, False)
    assert (image.tags, image.stores, dict(image.properties)) == (frozenset(), frozenset(), {})
    assert image.visibility == "private"
    assert not image.is_active


def test_missing_attributes_are_like_null_ones() -> None:
    """An old Glance without hashes, stores and hidden images can be listed."""
    assert image_from_record("Burgos", {"id": "b1", "status": "active"}).hash_value is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("id", None),
        ("id", ""),
        ("id", 5),
        ("status", None),
        ("name", ["x"]),
        ("size", "12"),
        ("size", -1),
        ("size", True),
        ("size", 1.5),
        ("protected", "no"),
        ("os_hidden", 1),
        ("tags", "a"),
        ("tags", [1]),
        ("min_disk", {}),
        ("stores", ["fast"]),
    ],
)
def test_wrong_type_is_named(key: str, value: object) -> None:
    """A record that breaks Glance's own contract is refused, naming region, image and attribute."""
    with pytest.raises(BadAnswerError, match=key) as caught:
        image_from_record("Burgos", {**RECORD, key: value})
    assert caught.value.where == "Burgos"


@pytest.mark.parametrize("record", [None, [], "x", 7])
def test_record_must_be_an_object(record: object) -> None:
    """Something else than an object in a listing is refused."""
    with pytest.raises(BadAnswerError, match="no object"):
        image_from_record("Burgos", record)


def test_long_nonsense_does_not_fill_the_message() -> None:
    """An error message stays short however large the wrong value is."""
    with pytest.raises(BadAnswerError) as caught:
        image_from_record("Burgos", {**RECORD, "id": "i" * 10_000, "size": "9" * 100_000})
    assert len(str(caught.value)) < 300


names = st.text(min_size=1, max_size=20)
values = st.one_of(st.none(), st.text(max_size=20), st.integers(), st.booleans())


@given(st.dictionaries(names, values))
def test_no_property_is_lost_or_invented(properties: dict[str, object]) -> None:
    """Every key that is not Glance's own arrives, as text, and nothing else does."""
    found = user_properties({**RECORD, **properties})
    expected = {
        k: str(v) for k, v in {**RECORD, **properties}.items() if v is not None and not is_reserved(k)
    }
    assert found == expected
    assert not found.keys() & BASE_ATTRIBUTES


@given(st.dictionaries(st.sampled_from(sorted(RECORD)), st.one_of(values, st.lists(names), st.floats())))
def test_any_record_gives_an_image_or_a_clear_error(changed: dict[str, object]) -> None:
    """No record of whatever content ends in anything but an image or a BadAnswerError."""
    try:
        image = image_from_record("Burgos", {**RECORD, **changed})
    except BadAnswerError:
        return
    assert image.id
    assert image.size is None or image.size >= 0
