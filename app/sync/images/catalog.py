"""The master's images by name, built once per run and shared by all targets (spec images 3.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from app.sync.images import messages
from app.sync.images.model import REFERENCE_KEYS, Image, PropertyValue, Snapshot, is_foreign
from app.sync.images.plan import Catalog
from app.sync.images.provenance import is_partial
from app.sync.status import Notice

OBSOLETE_SUFFIX = "_obsolete"
DEACTIVATED = "deactivated"


def build_catalog(snapshot: Snapshot) -> Catalog:
    """What the master region offers.

    Usable are active, named images that are nobody's or ours. A name that several of them carry is
    dropped with one warning. References become names; an id that leads to no remaining image makes its
    image ``broken`` with a warning (PR3), and stays in the property, so that conditions see the key.
    """
    ours = [
        image
        for image in snapshot.images
        if image.name and not is_foreign(image.owner, snapshot.project_id) and not is_partial(image)
    ]
    active = [image for image in ours if image.is_active]
    counts = Counter(image.name or "" for image in active)
    kept = {image.name or "": image for image in active if counts[image.name or ""] == 1}
    names_by_id = {image.id: name for name, image in kept.items()}
    notices = [messages.duplicated_on_master(name) for name in sorted(counts) if counts[name] > 1]
    images: dict[str, Image] = {}
    broken: dict[str, tuple[str, ...]] = {}
    for name, image in kept.items():
        images[name], unresolved = _with_names(image, names_by_id)
        if unresolved:
            broken[name] = unresolved
    notices += _broken_notices(kept, broken)
    return Catalog(
        region=snapshot.region,
        images=images,
        broken=broken,
        deactivated=_deactivated(ours, counts, names_by_id),
        notices=tuple(notices),
    )


def _with_names(image: Image, names_by_id: Mapping[str, str]) -> tuple[Image, tuple[str, ...]]:
    """The image with names for ids in its references, and the keys for which there is no name."""
    if not any(key in image.properties for key in REFERENCE_KEYS):
        return image, ()
    properties: dict[str, PropertyValue] = dict(image.properties)
    unresolved: list[str] = []
    for key in REFERENCE_KEYS:
        image_id = properties.get(key)
        if not image_id:
            properties.pop(key, None)
        elif (name := names_by_id.get(str(image_id))) is None:
            unresolved.append(key)
        else:
            properties[key] = name
    return replace(image, properties=properties), tuple(unresolved)


def _broken_notices(kept: Mapping[str, Image], broken: Mapping[str, tuple[str, ...]]) -> list[Notice]:
    """One warning per dangling reference; retired images are nobody's concern."""
    return [
        messages.broken_reference(name, key, str(kept[name].properties[key]))
        for name in sorted(broken)
        if not name.endswith(OBSOLETE_SUFFIX)
        for key in broken[name]
    ]


def _deactivated(
    ours: list[Image], active: Mapping[str, int], names_by_id: Mapping[str, str]
) -> dict[str, Image]:
    """Deactivated images whose name stands for nothing else (14.8)."""
    found = [image for image in ours if image.status == DEACTIVATED]
    counts = Counter(image.name or "" for image in found)
    return {
        image.name or "": _with_names(image, names_by_id)[0]
        for image in found
        if counts[image.name or ""] == 1 and (image.name or "") not in active
    }
