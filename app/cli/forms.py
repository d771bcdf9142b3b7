"""The JSON documents of ``--json``. Their shape is public: docs/cli.md describes every field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping

from app.errors import SynclineError
from app.sync.images.model import Image
from app.sync.images.plan import RegionPlan
from app.sync.status import Item, Notice, Outcome, RegionReport

VERSION = 1
"""Raised when a field changes its meaning or goes away; new fields may come at any time."""

Form = dict[str, object]


def document(command: str, **content: object) -> str:
    """A whole document as text that any character set can carry."""
    return json.dumps({"version": VERSION, "command": command, **content}, indent=2) + "\n"


def notice_form(notice: Notice) -> Form:
    """One line for a person."""
    return {"level": notice.level.value, "message": notice.message}


def item_form(item: Item) -> Form:
    """One image of one region (spec images 4.6, 14.9)."""
    return {
        "region": item.region,
        "name": item.name,
        "status": item.status.value,
        "size_bytes": item.size_bytes,
        "reasons": list(item.reasons),
        "error": item.error,
        "source_id": item.source_id,
        "destination_id": item.destination_id,
    }


def outcome_form(outcome: Outcome) -> Form:
    """An item after the run, with what the run did to it."""
    return item_form(outcome.item) | {
        "before": outcome.before.value,
        "result": outcome.result.value,
        "sent_bytes": outcome.sent_bytes,
        "attempts": outcome.attempts,
        "transport": outcome.transport,
    }


def counts(items: Iterable[Item]) -> dict[str, int]:
    """Number of items per status; statuses without an item are left out."""
    return dict(sorted(Counter(item.status.value for item in items).items()))


def error_form(error: SynclineError) -> Form:
    """A failure with its stable code."""
    return {
        "code": error.code,
        "message": error.what,
        "where": error.where,
        "remedy": error.remedy,
        "retryable": error.retryable,
    }


def report_form(report: RegionReport) -> Form:
    """One region after a run."""
    return {
        "region": report.region,
        "state": report.state.value,
        "counts": counts(outcome.item for outcome in report.outcomes),
        "items": [outcome_form(outcome) for outcome in report.outcomes],
        "notices": [notice_form(notice) for notice in report.notices],
        "sent_bytes": report.sent_bytes,
        "duration_seconds": round(report.duration_seconds, 3),
        "error": report.error,
    }


def plan_form(region: str, plan: RegionPlan | SynclineError) -> Form:
    """One region of the status report; a region that cannot be told has only its error."""
    if isinstance(plan, SynclineError):
        empty: Form = {"region": region, "counts": {}, "items": [], "obsolete": [], "notices": []}
        return empty | {"error": error_form(plan)}
    items = [planned.item for planned in plan.images]
    return {
        "region": region,
        "counts": counts(items),
        "items": [item_form(item) for item in items],
        "obsolete": [
            {"id": change.image.id, "name": change.image.name, "new_name": change.changes.name}
            for change in plan.obsolete
        ],
        "notices": [notice_form(notice) for notice in plan.notices],
        "error": None,
    }


def _plain(properties: Mapping[str, object]) -> Form:
    return dict(sorted(properties.items()))


def image_form(image: Image) -> Form:
    """One image as its region lists it (spec images 1.1)."""
    return {
        "region": image.region,
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "size_bytes": image.size,
        "checksum": image.checksum,
        "hash_algo": image.hash_algo,
        "hash_value": image.hash_value,
        "owner": image.owner,
        "visibility": image.visibility,
        "hidden": image.hidden,
        "protected": image.protected,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "tags": sorted(image.tags),
        "properties": _plain(image.properties),
    }
