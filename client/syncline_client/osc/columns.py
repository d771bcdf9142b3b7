"""Records of the client as rows and columns of the openstack command line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from syncline_client.results import Image, RegionSummary, Task

Row = tuple[object, ...]

REGION_COLUMNS = ("Name", "Counts", "Planned At", "Synced At", "Task", "Error")
IMAGE_COLUMNS = ("Name", "Status", "ID", "Glance Status", "Size", "Message")
TASK_COLUMNS = ("ID", "Region", "Mode", "Status", "Reason", "Created At", "Finished At")


def moment(value: datetime | None) -> str | None:
    """A point in time as ISO 8601."""
    return value.isoformat() if value else None


def counts(values: Mapping[str, int] | None) -> str | None:
    """``ok=3, pending_upload=1``, by name; None if nothing is known."""
    return None if values is None else ", ".join(f"{name}={values[name]}" for name in sorted(values))


def region_rows(regions: Iterable[RegionSummary]) -> Iterable[Row]:
    """Rows under ``REGION_COLUMNS``."""
    return (
        (
            region.name,
            counts(region.counts),
            moment(region.planned_at),
            moment(region.synced_at),
            region.task_id,
            region.error,
        )
        for region in regions
    )


def image_rows(images: Iterable[Image]) -> Iterable[Row]:
    """Rows under ``IMAGE_COLUMNS``."""
    return (
        (image.name, image.status, image.id, image.glance_status, image.size_bytes, image.message)
        for image in images
    )


def task_rows(tasks: Iterable[Task]) -> Iterable[Row]:
    """Rows under ``TASK_COLUMNS``."""
    return (
        (
            task.id,
            task.region,
            task.mode,
            task.status,
            task.reason,
            moment(task.created_at),
            moment(task.finished_at),
        )
        for task in tasks
    )


def task_fields(task: Task) -> tuple[Sequence[str], Row]:
    """Names and values of one task; what the service did not tell is left out."""
    fields: dict[str, object] = {
        "id": task.id,
        "region": task.region,
        "status": task.status,
        "mode": task.mode or None,
        "reason": task.reason,
        "requester": task.requester or None,
        "counts": counts(task.counts),
        "items": f"{task.items_done}/{task.items_total}" if task.items_total else None,
        "bytes": f"{task.bytes_done}/{task.bytes_total}" if task.bytes_total else None,
        "created_at": moment(task.created_at),
        "started_at": moment(task.started_at),
        "finished_at": moment(task.finished_at),
    }
    known = {name: value for name, value in fields.items() if value is not None}
    return tuple(known), tuple(known.values())
