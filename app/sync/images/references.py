"""Kernel and ramdisk references: by name on the master, by id in a region (spec images 4.5, 5.2).

``source`` is always a catalogue image, whose reference properties hold names; ``ids`` maps image names
to the ids that they have in one region.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from app.sync.images.model import KERNEL_ID, RAMDISK_ID, REFERENCE_KEYS, Image


def has_any(image: Image) -> bool:
    """Whether the image has a reference property at all, be it empty."""
    return KERNEL_ID in image.properties or RAMDISK_ID in image.properties


def names(source: Image) -> tuple[tuple[str, str], ...]:
    """(property key, referenced image name) of each reference of a catalogue image."""
    if not has_any(source):
        return ()
    properties = source.properties
    return tuple((key, str(properties[key])) for key in REFERENCE_KEYS if properties.get(key))


def missing_references(source: Image, ids: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(property key, referenced image name) of each reference that the region cannot resolve."""
    return tuple((key, name) for key, name in names(source) if name not in ids)


def translated(source: Image, ids: Mapping[str, str]) -> dict[str, str]:
    """Reference properties as the region needs them; what it cannot resolve is left out (13 no. 14)."""
    return {key: ids[name] for key, name in names(source) if name in ids}


def blocked_names(
    selected: Mapping[str, Image], broken: Iterable[str], absent: frozenset[str]
) -> frozenset[str]:
    """Selected images that must not be written because a reference cannot come right (PR3, PR5).

    Args:
        selected: the images wanted in the region, by name.
        broken: names whose references the catalogue could not resolve.
        absent: selected names without a counterpart in the region.

    Returns:
        Names whose reference leaves the selection, or leads to an absent image that is itself blocked.

    """
    dependents: dict[str, list[str]] = {}
    blocked = {name for name in broken if name in selected}
    for name, source in selected.items():
        for _, referenced in names(source):
            if referenced not in selected:
                blocked.add(name)
            else:
                dependents.setdefault(referenced, []).append(name)
    queue = deque(blocked)
    while queue:
        name = queue.popleft()
        if name in absent:
            reached = [dependent for dependent in dependents.get(name, ()) if dependent not in blocked]
            blocked.update(reached)
            queue.extend(reached)
    return frozenset(blocked)
