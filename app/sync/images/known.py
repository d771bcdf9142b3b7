"""From a plan and a listing to the rows that are kept of a region (spec images 9.4). Pure."""

from __future__ import annotations

from collections.abc import Iterable

from app.sync.images.model import Image
from app.sync.images.plan import RegionPlan
from app.sync.region_state import UNMANAGED, KnownItem


def known_items(plan: RegionPlan, images: Iterable[Image]) -> list[KnownItem]:
    """The plan's rows in its order, then the region's other images in theirs."""
    listed = list(images)
    by_id = {image.id: image for image in listed}
    rows = []
    for planned in plan.images:
        item = planned.item
        present = by_id.get(item.destination_id or "")
        rows.append(
            KnownItem(
                name=item.name,
                status=str(item.status),
                source_status=present.status if present else None,
                size_bytes=item.size_bytes,
                reasons=item.reasons,
                error=item.error,
                source_id=item.source_id,
                destination_id=item.destination_id,
            )
        )
    taken = {row.destination_id for row in rows}
    rows += [
        KnownItem(image.name or "", UNMANAGED, image.status, image.size, destination_id=image.id)
        for image in listed
        if image.id not in taken
    ]
    return rows
