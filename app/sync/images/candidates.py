"""Which images of a region stand for which master images (spec images 4.1, 14.6, 14.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sync.images import messages
from app.sync.images.catalog import DEACTIVATED
from app.sync.images.compare import Verdict, content_verdict, format_conflicts
from app.sync.images.conf.model import Policy
from app.sync.images.model import Image, Snapshot, is_foreign
from app.sync.images.plan import Unfinished
from app.sync.images.provenance import TARGET_NAME, is_partial, unfinished
from app.sync.status import Notice

IN_PROGRESS = frozenset({"queued", "saving", "uploading", "importing"})
"""States of an image that is on its way to being active (14.6)."""


@dataclass(slots=True)
class Candidates:
    """What a region's listing holds for a selection.

    Attributes:
        region: full region name.
        by_name: the counterpart of each selected image that has one.
        foreign: names whose counterpart belongs to another project and may not be written.
        in_progress: names of which an image of ours is being made.
        partials: our images in the making.
        unfinished: published copies whose predecessor is still there.

    """

    region: str
    by_name: dict[str, Image] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    in_progress: set[str] = field(default_factory=set)
    partials: list[Image] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


def find_candidates(snapshot: Snapshot, selected: Mapping[str, Image], policy: Policy) -> Candidates:
    """Go through a listing in its order and pick the counterpart of each selected image.

    Skipped, with a warning each: images of other projects (unless ``only_tenant_images`` is off) and
    images without usable content. Of several that are left the first one wins, unless a later one is
    better: see ``_rank``.
    """
    found = Candidates(snapshot.region)
    replaced = _unfinished(snapshot, selected, policy, found)
    for image in snapshot.images:
        foreign = is_foreign(image.owner, snapshot.project_id)
        if is_partial(image):
            if not foreign:
                found.partials.append(image)
                found.in_progress.add(str(image.properties[TARGET_NAME]))
            continue
        source = selected.get(image.name or "")
        if source is not None and image.id not in replaced:
            _consider(image, source, policy, found, foreign=foreign)
    return found


def _consider(image: Image, source: Image, policy: Policy, found: Candidates, *, foreign: bool) -> None:
    """Take one listed image for the candidate of its name, or say why not."""
    region, name = found.region, source.name or ""
    if foreign:
        found.notices.append(messages.foreign_image(region, image))
        if policy.only_tenant_images:
            return
    if not is_present(image):
        found.notices.append(messages.inactive_image(region, image))
        if image.status in IN_PROGRESS and not foreign:
            found.in_progress.add(name)
        return
    untouchable = foreign and not policy.modify_foreign
    earlier = found.by_name.get(name)
    if earlier is not None:
        found.notices.append(messages.duplicated_in_region(region, name, image.id, earlier.id))
        new_rank = _rank(source, image, untouchable=untouchable)
        if new_rank <= _rank(source, earlier, untouchable=name in found.foreign):
            return
    found.by_name[name] = image
    if untouchable:
        found.foreign.add(name)
    else:
        found.foreign.discard(name)


def is_present(image: Image) -> bool:
    """Whether the image has content: active, or deactivated by an administrator (14.8)."""
    return image.is_active or image.status == DEACTIVATED


def _rank(source: Image, image: Image, *, untouchable: bool) -> tuple[bool, bool, bool]:
    """The master's content counts most; then its format, and that we may write the image at all.

    The last two are ours. Without them the copy that takes the place of an image in another format, or of
    one of another project, which stays, might not be taken for the candidate; and the next change on the
    master would leave one more copy behind.
    """
    same = content_verdict(source, image, trust_marks=not untouchable) is Verdict.SAME
    return same, not format_conflicts(source, image), not untouchable


def _unfinished(
    snapshot: Snapshot, selected: Mapping[str, Image], policy: Policy, found: Candidates
) -> frozenset[str]:
    """Note the replacements that a killed run did not finish; returns the ids of the replaced images."""
    marked = [
        (image, mark)
        for image in snapshot.images
        if image.name in selected
        and (mark := unfinished(image.properties))
        and is_present(image)
        and not is_partial(image)
        and not is_foreign(image.owner, snapshot.project_id)
    ]
    if not marked:
        return frozenset()
    by_id = {image.id: image for image in snapshot.images}
    kept: set[str] = set()
    replaced: set[str] = set()
    done: list[Unfinished] = []
    for image, (disposal, old_id) in marked:
        old = by_id.get(old_id)
        if old is None or old.name != image.name or old.id == image.id or is_partial(old):
            done.append(Unfinished(image, None, disposal))
            continue
        # Marks that contradict each other must never clear away both images.
        if image.id in replaced or old.id in kept | replaced:
            continue
        if policy.modify_foreign or not is_foreign(old.owner, snapshot.project_id):
            kept.add(image.id)
            replaced.add(old.id)
            found.unfinished.append(Unfinished(image, old, disposal))
    found.unfinished.extend(todo for todo in done if todo.image.id not in replaced)
    return frozenset(replaced)
