"""Retired images: what the master calls ``X_obsolete`` is no longer ``X`` in the regions (spec images 6)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from app.sync.images import messages
from app.sync.images.catalog import OBSOLETE_SUFFIX
from app.sync.images.compare import Verdict, content_verdict, wanted_visibility
from app.sync.images.conf.model import ObsoleteMode, Policy
from app.sync.images.model import Changes, Image, PropertyValue, Snapshot, is_foreign
from app.sync.images.plan import Catalog, MetadataChange
from app.sync.images.properties import NEVER_COPIED, NEVER_COPIED_PREFIXES
from app.sync.images.provenance import is_partial
from app.sync.images.selection import is_obsolete_name
from app.sync.status import Notice

RENAMING = (ObsoleteMode.RENAME, ObsoleteMode.BOTH)
HIDING = (ObsoleteMode.HIDE, ObsoleteMode.BOTH)


@dataclass(slots=True)
class ObsoletePlan:
    """Writes on images that the master has retired; ``new_names`` are those they will bring about."""

    region: str
    changes: list[MetadataChange] = field(default_factory=list)
    new_names: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)


def plan_obsolete(
    catalog: Catalog, living: Collection[str], snapshot: Snapshot, policy: Policy
) -> ObsoletePlan:
    """What the region's copies of retired images need. Nothing is ever uploaded or deleted for them.

    Only our own images with the content of the retired master image are written. An image is not
    renamed to a name that another one has already; that is a warning.

    Args:
        living: names that the target selects, or would if its condition could be told.

    """
    plan = ObsoletePlan(snapshot.region)
    if not policy.support_obsolete_images:
        return plan
    sources = _sources(catalog, living, plan)
    if not sources:
        return plan
    taken = {
        image.name
        for image in snapshot.images
        if is_obsolete_name(image.name)
        and not (policy.only_tenant_images and is_foreign(image.owner, snapshot.project_id))
    }
    for image in snapshot.images:
        if image.name and not is_foreign(image.owner, snapshot.project_id) and not is_partial(image):
            _retire(image, sources, policy, taken, plan)
    return plan


def _sources(catalog: Catalog, living: Collection[str], plan: ObsoletePlan) -> dict[str, Image]:
    """Retired master images by name, but for those whose old name the target selects again."""
    sources = {}
    for name in sorted(filter(is_obsolete_name, catalog.images)):
        successor = name.removesuffix(OBSOLETE_SUFFIX)
        if successor in living:
            plan.notices.append(messages.obsolete_ignored(name, successor))
        else:
            sources[name] = catalog.images[name]
    return sources


def _retire(
    image: Image, sources: Mapping[str, Image], policy: Policy, taken: set[str | None], plan: ObsoletePlan
) -> None:
    """Plan the write on one image of the region, if it is a copy of a retired one."""
    name = image.name or ""
    is_renamed = name in sources
    new_name = name if is_renamed else name + OBSOLETE_SUFFIX
    source = sources.get(new_name)
    if source is None or content_verdict(source, image) is not Verdict.SAME:
        return
    changes = _propagated(source, image, policy)
    if not is_renamed and policy.obsolete_mode in RENAMING:
        if new_name in taken:
            plan.notices.append(messages.obsolete_twin(plan.region, name, new_name))
            return
        taken.add(new_name)
        plan.new_names.add(new_name)
        changes = replace(changes, name=new_name)
    if changes:
        plan.changes.append(MetadataChange(image, changes, changes.name or name))


def _propagated(source: Image, image: Image, policy: Policy) -> Changes:
    """What a retired image takes over: visibility, the listed properties, and being hidden.

    References to kernels and ramdisks keep pointing at the images of this region.
    """
    setting: dict[str, PropertyValue] = {}
    for key in sorted(policy.obsolete_syncprops - NEVER_COPIED):
        value = source.properties.get(key)
        if value is None or key.startswith(NEVER_COPIED_PREFIXES):
            continue
        if str(image.properties.get(key)) != str(value):
            setting[key] = value
    hide = policy.obsolete_mode in HIDING and not image.hidden
    return Changes(
        visibility=wanted_visibility(source, image, policy),
        hidden=True if hide else None,
        set_properties=setting,
    )
