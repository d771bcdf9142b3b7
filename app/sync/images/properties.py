"""Which properties of a master image belong in a region, and with what value (spec images 5.3, 14.4, 14.7).

References to kernels and ramdisks are not this module's concern: see ``references``.
"""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

from app.sync.images.conf.model import Policy, SignaturePolicy
from app.sync.images.model import REFERENCE_KEYS, Image, PropertyValue
from app.sync.images.provenance import COPY_HASH, PREFIX, SOURCE_HASH

CERTIFICATE = "img_signature_certificate_uuid"
SIGNATURE_KEYS = frozenset(
    {"img_signature", "img_signature_hash_method", "img_signature_key_type", CERTIFICATE}
)
BASE_ATTRIBUTES = frozenset(
    {
        "stores",
        "direct_url",
        "locations",
        "checksum",
        "size",
        "virtual_size",
        "created_at",
        "updated_at",
        "deleted_at",
        "id",
        "owner",
        "self",
        "file",
        "schema",
        "status",
    }
)
"""What Glance itself keeps in an image record; as a property it would be refused or lie."""
SITE_BOUND = frozenset(
    {
        "cinder_encryption_key_id",
        "cinder_encryption_key_deletion_policy",
        "base_image_ref",
        "instance_uuid",
        "user_id",
        "image_location",
        "image_state",
        "block_device_mapping",
        "bdm_v2",
        "mappings",
    }
)
"""Traces of the cloud that an image was made in; they name things that exist nowhere else."""
KEPT_ON_COPIES = frozenset({SOURCE_HASH, COPY_HASH, *REFERENCE_KEYS})
NEVER_COPIED = BASE_ATTRIBUTES | SITE_BOUND | KEPT_ON_COPIES | {CERTIFICATE}
NEVER_COPIED_PREFIXES = ("os_glance_", "os_hash_", "owner_specified.", PREFIX)


class Signature(StrEnum):
    """What becomes of the signature of a master image in a region (14.7)."""

    UNSIGNED = "unsigned"
    MAPPED = "mapped"
    DROPPED = "dropped"
    REFUSED = "refused"


def signature_of(source: Image, policy: Policy) -> Signature:
    """Whether the image's signature can be given to the target's regions.

    The certificate is a secret of one region's key manager, so it needs an entry in
    ``certificate_map``. ``UNSIGNED`` also where the target does not copy the property at all.
    """
    certificate = source.properties.get(CERTIFICATE)
    if certificate is None or not is_managed(CERTIFICATE, policy, Signature.MAPPED):
        return Signature.UNSIGNED
    if str(certificate) in policy.certificate_map:
        return Signature.MAPPED
    return Signature.REFUSED if policy.signature_policy is SignaturePolicy.REQUIRE else Signature.DROPPED


def wanted_properties(source: Image, policy: Policy) -> dict[str, PropertyValue]:
    """The properties that a region's copy should have, references excepted."""
    signature = signature_of(source, policy)
    wanted: dict[str, PropertyValue] = {
        key: value
        for key, value in source.properties.items()
        if value is not None and is_managed(key, policy, signature)
    }
    if signature is Signature.MAPPED:
        wanted[CERTIFICATE] = policy.certificate_map[str(wanted[CERTIFICATE])]
    return wanted


def property_changes(
    source: Image, destination: Image, policy: Policy
) -> tuple[dict[str, PropertyValue], frozenset[str]]:
    """What to set and what to remove so that the destination's properties follow the source's.

    With a ``metadata_set`` only its members are looked at; without, all properties that are copied at
    all (PR1). A property without value counts as absent; values are compared as Glance keeps them,
    which is as text.
    """
    if _equal_at_first_sight(source, destination, policy):
        return {}, frozenset()
    wanted = wanted_properties(source, policy)
    present = destination.properties
    setting = {key: value for key, value in wanted.items() if not _same_value(present.get(key), value)}
    signature = signature_of(source, policy)
    removing = frozenset(
        key
        for key, value in present.items()
        if key not in wanted and value is not None and is_managed(key, policy, signature)
    )
    return setting, removing


def is_managed(key: str, policy: Policy, signature: Signature) -> bool:
    """Whether the target keeps this property in line with the master.

    Args:
        signature: the fate of the signature of the image that the property belongs to.

    """
    if policy.metadata_set and key not in policy.metadata_set:
        return False
    if key in SIGNATURE_KEYS and signature is not Signature.UNSIGNED:
        return signature is Signature.MAPPED and not _is_ignored(key, policy)
    if key in NEVER_COPIED or key.startswith(NEVER_COPIED_PREFIXES):
        return False
    return not _is_ignored(key, policy)


def _equal_at_first_sight(source: Image, destination: Image, policy: Policy) -> bool:
    """Spare the close look in the usual case of long listings. A certificate always needs it."""
    ours, theirs = source.properties, destination.properties
    if CERTIFICATE in ours:
        return False
    if policy.metadata_set:
        return all(ours.get(key) == theirs.get(key) for key in policy.metadata_set)
    return ours == theirs


def _is_ignored(key: str, policy: Policy) -> bool:
    patterns = policy.ignored_properties
    return bool(patterns) and any(fnmatchcase(key, pattern) for pattern in patterns)


def _same_value(left: PropertyValue, right: PropertyValue) -> bool:
    return left is not None and (left == right or str(left) == str(right))


def surplus_properties(source: Image, created: Image, policy: Policy) -> frozenset[str]:
    """Properties of a fresh copy that came from the source although the target does not want them.

    A server that fetches an image from another server copies properties by rules of its own (14.6).
    """
    wanted = wanted_properties(source, policy)
    return frozenset(
        key
        for key, value in created.properties.items()
        if key in source.properties
        and key not in wanted
        and value is not None
        and key not in KEPT_ON_COPIES
        and not key.startswith(NEVER_COPIED_PREFIXES)
    )
