"""What of a destination image differs from its master image (spec images 4.4, 14.1-14.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter

from app.sync.images import references
from app.sync.images.conf.model import Policy, SetMode, VisibilityMode
from app.sync.images.model import KERNEL_ID, RAMDISK_ID, REFERENCE_KEYS, Changes, Image, PropertyValue
from app.sync.images.properties import property_changes
from app.sync.images.provenance import COPY_HASH, SOURCE_HASH, content_id

SHARED = "shared"
ALL_STORES = "all"
ATTRIBUTE_REASONS = ("visibility", "hidden", "protected", "min_disk", "min_ram", "tags")
NO_ATTRIBUTES = (None,) * len(ATTRIBUTE_REASONS)
NO_CHANGES = Changes()
_attributes_of = attrgetter(*ATTRIBUTE_REASONS)
REFERENCE_REASONS = {KERNEL_ID: "kernel", RAMDISK_ID: "ramdisk"}


class Verdict(StrEnum):
    """Whether two images hold the same bytes."""

    SAME = "same"
    DIFFERENT = "different"
    UNKNOWN = "unknown"


def hash_verdict(source: Image, copy: Image) -> Verdict:
    """Compare by ``os_hash_value`` if both sides have the same algorithm, else by MD5 (14.5).

    A missing hash equals nothing, not even another missing one.
    """
    if source.hash_value and copy.hash_value and source.hash_algo == copy.hash_algo:
        return Verdict.SAME if source.hash_value == copy.hash_value else Verdict.DIFFERENT
    if source.checksum and copy.checksum:
        return Verdict.SAME if source.checksum == copy.checksum else Verdict.DIFFERENT
    return Verdict.UNKNOWN


def content_matches(source: Image, copy: Image) -> Verdict:
    """Whether a transfer arrived whole: size and hash (14.5). ``UNKNOWN`` without a common hash."""
    if source.size is not None and copy.size is not None and source.size != copy.size:
        return Verdict.DIFFERENT
    return hash_verdict(source, copy)


def is_recorded_copy(source: Image, destination: Image) -> bool:
    """Whether the destination's marks say that it was made from this very content (14.5).

    Import plugins of a region may convert the data; the marks then are the only evidence. They count
    only while the destination's own content is what it was when the marks were written.
    """
    marked_source = destination.properties.get(SOURCE_HASH)
    marked_copy = destination.properties.get(COPY_HASH)
    if not marked_source or not marked_copy:
        return False
    return marked_source == content_id(source) and marked_copy == content_id(destination)


def content_verdict(source: Image, destination: Image, *, trust_marks: bool = True) -> Verdict:
    """Whether an image that lies in the region has the master's content (4.2 step 2, 14.5).

    The size is not looked at: as in the original, content is what the hash says.

    Args:
        trust_marks: whether provenance marks count; they do not on images of other projects.

    """
    verdict = hash_verdict(source, destination)
    if verdict is not Verdict.SAME and trust_marks and is_recorded_copy(source, destination):
        return Verdict.SAME
    return verdict


def format_conflicts(source: Image, destination: Image) -> bool:
    """Whether equal bytes are there in another format, which cannot be changed any more (14.3).

    Data that a region converted on import has another format by right, so only equal hashes count.
    """
    pairs = (
        (source.disk_format, destination.disk_format),
        (source.container_format, destination.container_format),
    )
    if not any(ours and theirs and ours != theirs for ours, theirs in pairs):
        return False
    return hash_verdict(source, destination) is Verdict.SAME


def metadata_changes(source: Image, destination: Image, policy: Policy, ids: Mapping[str, str]) -> Changes:
    """Everything that one update writes so that the destination follows the source (5.2, PR1).

    Args:
        source: a catalogue image: its references are names.
        ids: image name to id in the destination's region. A reference to a name that is not in it is
            left as it is in the destination.

    Returns:
        Empty changes if there is no difference.

    """
    setting, removing = property_changes(source, destination, policy)
    if references.has_any(source) or references.has_any(destination):
        removing |= _renew_references(source, destination, ids, setting)
    visibility = wanted_visibility(source, destination, policy)
    hidden = source.hidden if policy.sync_hidden and source.hidden != destination.hidden else None
    protected = (
        source.protected if policy.sync_protected and source.protected != destination.protected else None
    )
    min_disk = source.min_disk if source.min_disk != destination.min_disk else None
    min_ram = source.min_ram if source.min_ram != destination.min_ram else None
    tags = _wanted_tags(source, destination, policy.tags_mode)
    if (visibility, hidden, protected, min_disk, min_ram, tags) == NO_ATTRIBUTES:
        changed = setting or removing
        return Changes(set_properties=setting, remove_properties=removing) if changed else NO_CHANGES
    return Changes(
        visibility=visibility,
        hidden=hidden,
        protected=protected,
        min_disk=min_disk,
        min_ram=min_ram,
        tags=tags,
        set_properties=setting,
        remove_properties=removing,
    )


def _renew_references(
    source: Image, destination: Image, ids: Mapping[str, str], setting: dict[str, PropertyValue]
) -> frozenset[str]:
    """Put the references that differ into ``setting``; returns those to remove."""
    wanted = references.translated(source, ids)
    present = destination.properties
    setting.update({key: image_id for key, image_id in wanted.items() if present.get(key) != image_id})
    return frozenset(
        key for key in REFERENCE_KEYS if present.get(key) is not None and not source.properties.get(key)
    )


def wanted_visibility(source: Image, destination: Image, policy: Policy) -> str | None:
    """The visibility to write, ``None`` if the present one will do (14.1)."""
    if policy.sync_visibility is VisibilityMode.EXACT:
        return source.visibility if source.visibility != destination.visibility else None
    if source.is_public == destination.is_public:
        return None
    return "public" if source.is_public else "private"


def _wanted_tags(source: Image, destination: Image, mode: SetMode) -> frozenset[str] | None:
    if mode is SetMode.OFF:
        return None
    tags = source.tags if mode is SetMode.EXACT else source.tags | destination.tags
    return tags if tags != destination.tags else None


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """Projects that an image is to be shared with, or no longer.

    ``unmapped`` are projects of the master that are left out for want of a ``project_map`` entry.
    """

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    unmapped: frozenset[str] = frozenset()


NO_MEMBER_CHANGES = MemberChanges()


def member_changes(source: Image, destination: Image, policy: Policy) -> MemberChanges:
    """How the members of a shared image follow the master's (14.2).

    Only where the master's image is shared and the destination is or is to be: no other visibility has
    members.
    """
    if policy.members_mode is SetMode.OFF or source.visibility != SHARED:
        return NO_MEMBER_CHANGES
    if (wanted_visibility(source, destination, policy) or destination.visibility) != SHARED:
        return NO_MEMBER_CHANGES
    mapped = frozenset(policy.project_map[m] for m in source.members if m in policy.project_map)
    return MemberChanges(
        add=mapped - destination.members,
        remove=destination.members - mapped if policy.members_mode is SetMode.EXACT else frozenset(),
        unmapped=frozenset(m for m in source.members if m not in policy.project_map),
    )


def missing_stores(destination: Image, policy: Policy) -> frozenset[str]:
    """Named stores of the target that do not hold the image yet (14.6).

    None if the region tells no stores at all. ``all`` names no store: only the region knows them.
    """
    if not policy.stores or not destination.stores:
        return frozenset()
    return policy.stores - destination.stores - {ALL_STORES}


def reasons(changes: Changes) -> tuple[str, ...]:
    """What the changes are about, in the words of 14.9."""
    if changes is NO_CHANGES:
        return ()
    values = zip(ATTRIBUTE_REASONS, _attributes_of(changes), strict=True)
    found = [name for name, value in values if value is not None]
    if changes.set_properties or changes.remove_properties:
        keys = {*changes.set_properties, *changes.remove_properties}
        found += [reason for key, reason in REFERENCE_REASONS.items() if key in keys]
        found += [f"property:{key}" for key in sorted(keys - REFERENCE_REASONS.keys())]
    return tuple(found)
