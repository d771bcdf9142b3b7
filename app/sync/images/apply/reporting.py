"""What a run came to, in lines and in a report. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from app.sync.images import messages
from app.sync.images.plan import PlannedImage, RegionPlan
from app.sync.status import Notice, Outcome, RegionState, Result, Status


def pending_bytes(planned: Iterable[PlannedImage]) -> int:
    """Bytes that the planned uploads will bring, as far as sizes are known."""
    return sum(p.item.size_bytes or 0 for p in planned if p.item.status.needs_content)


def status_counts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """How many images stand at which status after the run."""
    return dict(Counter(str(outcome.item.status) for outcome in outcomes))


def region_state(outcomes: Sequence[Outcome], trouble: int) -> RegionState:
    """How the region ended.

    Args:
        trouble: failures beside the items (leftovers, obsolete images).

    """
    failed = sum(1 for o in outcomes if o.result in (Result.FAILED, Result.SKIPPED))
    if not failed and not trouble and not any(o.item.status.is_error for o in outcomes):
        return RegionState.OK
    wanted = [o for o in outcomes if o.result is not Result.UNCHANGED]
    if wanted and failed == len(wanted):
        return RegionState.FAILED
    return RegionState.PARTIAL


def summary(region: str, outcomes: Sequence[Outcome], sent_bytes: int, *, wrote: bool) -> tuple[Notice, ...]:
    """The closing lines of a region (5.7), and what needs attention (13 no. 26)."""
    closing = messages.total_sent(region, sent_bytes) if wrote else messages.synchronized(region)
    errors = Counter(str(o.item.status) for o in outcomes if o.item.status.is_error)
    failed = sum(1 for o in outcomes if o.result in (Result.FAILED, Result.SKIPPED))
    if failed:
        errors["failed"] = failed
    return (closing, messages.error_counts(region, dict(errors))) if errors else (closing,)


def dry_run_notices(plan: RegionPlan, planned: Sequence[PlannedImage]) -> tuple[Notice, ...]:
    """What a run would say and do, in the order in which it would (5.6, 5.7).

    Args:
        planned: the images that the run is about, in order of execution for those needing content.

    """
    lines = [messages.updating_obsolete(plan.region, change.label) for change in plan.obsolete]
    metadata = [p for p in planned if p.item.status is Status.PENDING_METADATA]
    content = [p for p in planned if p.item.status.needs_content]
    waiting = [p for p in planned if p.item.status is Status.PENDING_AMI]
    lines.extend(messages.updating_metadata(plan.region, p.item.name, dry_run=True) for p in metadata)
    for p in content:
        if p.item.status is not Status.PENDING_UPLOAD:
            lines.append(messages.transferring(plan.region, p.item.name, p.item.status, p.item.size_bytes))
        lines.append(messages.pending_transfer(plan.region, p.item.name, p.item.size_bytes))
    lines.extend(messages.updating_metadata(plan.region, p.item.name, dry_run=True) for p in waiting)
    if metadata or content:
        lines.append(messages.total_pending(plan.region, pending_bytes(content)))
    else:
        lines.append(messages.synchronized(plan.region))
    return tuple(lines)
