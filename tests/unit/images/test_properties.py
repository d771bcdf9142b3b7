"""Which properties belong in a region (spec images 4.4, 5.3, 14.4, 14.7, PR1)."""

from __future__ import annotations

import pytest

from app.sync.images.conf.model import Policy, SignaturePolicy
from app.sync.images.properties import (
    CERTIFICATE,
    SIGNATURE_KEYS,
    Signature,
    property_changes,
    signature_of,
    surplus_properties,
    wanted_properties,
)
from app.sync.images.provenance import COPY_HASH, SOURCE_HASH, WRITER
from tests.unit.images.builders import make_image, make_master

SET = Policy(metadata_set=frozenset({"nid", "type"}))
ALL = Policy()


@pytest.mark.parametrize(
    ("source", "copy", "policy", "setting", "removing"),
    [
        pytest.param({"nid": "1"}, {"nid": "0"}, SET, {"nid": "1"}, set(), id="set: value differs"),
        pytest.param({"nid": "1"}, {}, SET, {"nid": "1"}, set(), id="set: absent in the region"),
        pytest.param({}, {"nid": "1"}, SET, {}, {"nid"}, id="set: absent on the master"),
        pytest.param({"k1": "1"}, {"k1": "2", "k2": "3"}, SET, {}, set(), id="set: others are local"),
        pytest.param({"nid": ""}, {}, SET, {"nid": ""}, set(), id="set: an empty value is a value"),
        pytest.param({"nid": 1}, {"nid": "1"}, SET, {}, set(), id="set: number as text"),
        pytest.param({"nid": None}, {}, SET, {}, set(), id="set: null is absent"),
        pytest.param({}, {"nid": None}, SET, {}, set(), id="set: null in the region is absent"),
        pytest.param(
            {"a": "1"}, {"a": "2", "b": "3"}, ALL, {"a": "1"}, {"b"}, id="all: exactly the master's"
        ),
        pytest.param({"a": "1"}, {"b": "1"}, ALL, {"a": "1"}, {"b"}, id="all: as many, but others"),
        pytest.param({"a": "1"}, {"a": "1"}, ALL, {}, set(), id="all: equal"),
        pytest.param({"a": None}, {"a": "1"}, ALL, {}, {"a"}, id="all: null on the master is absent"),
    ],
)
def test_differences(source: dict, copy: dict, policy: Policy, setting: dict, removing: set) -> None:
    """With a set its members follow the master and others stay; without, all properties do."""
    changes = property_changes(make_master("a", properties=source), make_image("a", properties=copy), policy)
    assert changes == (setting, removing)


@pytest.mark.parametrize(
    "key",
    [
        "os_glance_importing_to_stores",
        "os_hash_value",
        "stores",
        "direct_url",
        "locations",
        "checksum",
        "size",
        "virtual_size",
        "created_at",
        "updated_at",
        "id",
        "owner",
        "self",
        "file",
        "schema",
        "status",
        "cinder_encryption_key_id",
        "cinder_encryption_key_deletion_policy",
        "base_image_ref",
        "instance_uuid",
        "user_id",
        "image_location",
        "image_state",
        "owner_specified.openstack.md5",
        "block_device_mapping",
        "syncline_writer",
        SOURCE_HASH,
        COPY_HASH,
        CERTIFICATE,
        "kernel_id",
        "ramdisk_id",
    ],
)
@pytest.mark.parametrize("named", [False, True], ids=["no set", "named in the set"])
def test_never_copied(key: str, named: bool) -> None:
    """What is bound to one site is neither copied, nor compared, nor removed."""
    policy = Policy(metadata_set=frozenset({key})) if named else ALL
    here, there = make_master("a", properties={key: "here"}), make_image("a", properties={key: "there"})
    assert not wanted_properties(here, policy)
    assert property_changes(here, there, policy) == ({}, frozenset())
    assert property_changes(make_master("a"), there, policy) == ({}, frozenset())


@pytest.mark.parametrize(
    ("key", "ignored"),
    [
        ("hw_disk_bus", True),
        ("hw_", True),
        ("xhw_a", False),
        ("HW_a", False),
        ("exact", True),
        ("exactly", False),
    ],
)
def test_ignored_properties(key: str, ignored: bool) -> None:
    """Patterns of ignored_properties take properties out, in either direction."""
    policy = Policy(ignored_properties=("hw_*", "exact"))
    here, none = make_master("a", properties={key: "1"}), make_master("a")
    assert wanted_properties(here, policy) == ({} if ignored else {key: "1"})
    assert property_changes(none, make_image("a", properties={key: "1"}), policy)[1] == (
        set() if ignored else {key}
    )


SIGNED = {
    "img_signature": "s",
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
    CERTIFICATE: "here",
    "nid": "1",
}
MAPPED = {"certificate_map": {"here": "there"}}


@pytest.mark.parametrize(
    ("properties", "policy", "fate"),
    [
        pytest.param({"nid": "1"}, ALL, Signature.UNSIGNED, id="unsigned"),
        pytest.param(SIGNED, ALL, Signature.DROPPED, id="no entry"),
        pytest.param(SIGNED, Policy(**MAPPED), Signature.MAPPED, id="entry"),
        pytest.param(SIGNED, Policy(certificate_map={"x": "y"}), Signature.DROPPED, id="other entry"),
        pytest.param(
            SIGNED, Policy(signature_policy=SignaturePolicy.REQUIRE), Signature.REFUSED, id="required"
        ),
        pytest.param(
            SIGNED, Policy(signature_policy=SignaturePolicy.REQUIRE, **MAPPED), Signature.MAPPED, id="both"
        ),
        pytest.param(SIGNED, SET, Signature.UNSIGNED, id="not in the set"),
        pytest.param(SIGNED, Policy(ignored_properties=("img_sig*",)), Signature.UNSIGNED, id="ignored"),
    ],
)
def test_fate_of_signatures(properties: dict, policy: Policy, fate: Signature) -> None:
    """A signature follows only with a certificate that the region has."""
    assert signature_of(make_master("a", properties=properties), policy) is fate


def test_mapped_signature_is_translated() -> None:
    """With an entry all four properties follow, and the certificate is the region's."""
    source, policy = make_master("a", properties=SIGNED), Policy(**MAPPED)
    translated = {**SIGNED, CERTIFICATE: "there"}
    assert wanted_properties(source, policy) == translated
    assert property_changes(source, make_image("a", properties=translated), policy) == ({}, frozenset())
    assert property_changes(source, make_image("a", properties=SIGNED), policy)[0] == {CERTIFICATE: "there"}


def test_dropped_signature_is_left_out_whole() -> None:
    """Without an entry none of the four is written, and none that the region has is removed."""
    source = make_master("a", properties=SIGNED)
    assert wanted_properties(source, ALL) == {"nid": "1"}
    assert property_changes(source, make_image("a", properties={"nid": "1"}), ALL) == ({}, frozenset())
    assert property_changes(
        source, make_image("a", properties={"nid": "1", "img_signature": "own"}), ALL
    ) == (
        {},
        frozenset(),
    )


def test_signature_keys_without_certificate_are_ordinary() -> None:
    """Without a certificate there is no signature to verify, so the rest is copied like anything else."""
    source = make_master("a", properties=dict.fromkeys(SIGNATURE_KEYS - {CERTIFICATE}, "x"))
    assert set(wanted_properties(source, ALL)) == SIGNATURE_KEYS - {CERTIFICATE}


def test_values_keep_their_type() -> None:
    """Numbers of backup files stay numbers when they are copied."""
    source = make_master("a", properties={"nid": 1, "flag": True})
    assert wanted_properties(source, ALL) == {"nid": 1, "flag": True}


def test_surplus_of_server_side_imports() -> None:
    """Properties that a server copied of its own accord are removed; those of the region's plugins stay."""
    source = make_master("a", properties={"nid": "1", "hw_bus": "x", SOURCE_HASH: "s", "instance_uuid": "u"})
    created = make_image(
        "a",
        properties={
            "nid": "1",
            "hw_bus": "x",
            "injected": "by plugin",
            "instance_uuid": "u",
            SOURCE_HASH: "t",
            WRITER: "w",
            "kernel_id": "5",
        },
    )
    assert surplus_properties(source, created, SET) == {"hw_bus", "instance_uuid"}
