"""What a killed run left half-made: whose it is, whether it is complete, what to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.sync.images.apply.writer import has_lost_its_lease, is_abandoned, look_up
from app.sync.images.compare import Verdict, content_matches
from app.sync.images.model import Image
from app.sync.images.plan import RegionPlan
from app.sync.images.provenance import SOURCE_HASH, TARGET_NAME, WRITER, content_id


@dataclass(frozen=True, slots=True)
class Leftovers:
    """The partial images of a region, sorted by what may be done with them.

    Attributes:
        complete: image name -> a verified copy that only lacks publishing.
        garbage: to be removed.
        in_progress: names that another living run is working on.

    """

    complete: dict[str, Image]
    garbage: tuple[Image, ...]
    in_progress: frozenset[str]


def sort_leftovers(plan: RegionPlan, now: datetime, *, leased: bool) -> Leftovers:
    """Judge every partial image of the plan.

    Args:
        leased: whether this run holds the region's lease.

    """
    sources = {p.source.name: p.source for p in plan.images if p.item.status.needs_content}
    complete: dict[str, Image] = {}
    garbage: list[Image] = []
    in_progress: set[str] = set()
    for image in plan.partials:
        name = str(image.properties[TARGET_NAME])
        writer = str(image.properties[WRITER])
        gone = has_lost_its_lease(writer, leased=leased) or is_abandoned(
            look_up(writer), image.created_at, now
        )
        if not gone:
            in_progress.add(name)
        elif name not in complete and _is_complete(image, sources.get(name)):
            complete[name] = image
        else:
            garbage.append(image)
    return Leftovers(complete, tuple(garbage), frozenset(in_progress))


def _is_complete(image: Image, source: Image | None) -> bool:
    return (
        source is not None
        and image.is_active
        and image.properties.get(SOURCE_HASH) == content_id(source)
        and content_matches(source, image) is Verdict.SAME
    )
