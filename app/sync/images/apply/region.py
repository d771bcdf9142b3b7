"""The run over one region: leftovers, obsolete images, metadata, content, references (spec images 5.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from threading import Event
from time import monotonic

from app.errors import (
    CancelledError,
    NotFoundError,
    QuotaError,
    StoreFullError,
    SynclineError,
    UnreachableError,
)
from app.sync.events import (
    ItemFinished,
    ItemProgressed,
    ItemStarted,
    Listener,
    Noticed,
    RegionStarted,
)
from app.sync.images import messages, references
from app.sync.images.apply.extras import sync_extras
from app.sync.images.apply.leftovers import Leftovers, sort_leftovers
from app.sync.images.apply.publishing import clear_away, publish
from app.sync.images.apply.reporting import pending_bytes, region_state, status_counts, summary
from app.sync.images.compare import metadata_changes
from app.sync.images.model import Changes, Image
from app.sync.images.plan import PlannedImage, RegionPlan
from app.sync.images.planner import execution_order
from app.sync.images.provenance import Disposal
from app.sync.images.stores.base import ActsOnState
from app.sync.images.transfer.context import Destination
from app.sync.images.transfer.copying import Copier, Copy
from app.sync.status import Item, Level, Notice, Outcome, RegionReport, RegionState, Result, Status

DISPOSALS = {Status.PENDING_REPLACE: Disposal.DELETE, Status.PENDING_RENAME: Disposal.RENAME}
GIVE_UP_AFTER_UNREACHABLE = 2
"""Images in a row that find the region unreachable before the rest is left for the next run."""


@dataclass(slots=True)
class RegionRun:
    """Applies one plan. One object, one run, one thread.

    Attributes:
        names: if given, only these images are worked on.
        leased: whether the run holds the region's lease, so that no other leased run can be at it.
        ids: image name to id in the region, kept up to date while images are made (5.2).
        made: images published in this run, by name.
        failed: names of images that could not be brought up to date.

    """

    plan: RegionPlan
    destination: Destination
    copier: Copier
    listener: Listener
    stop: Event
    names: frozenset[str] | None = None
    leased: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    made: dict[str, Image] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    leftovers: Leftovers = field(default_factory=lambda: Leftovers({}, (), frozenset()))
    sent_bytes: int = 0
    trouble: int = 0
    uploads_stopped: str | None = None
    unreachable_in_a_row: int = 0

    def run(self) -> RegionReport:
        """Work through the plan; failures of single images are in the report, not raised."""
        started = monotonic()
        plan = self.plan
        self.ids = {name: image.id for name, image in plan.local.items()}
        self.listener(RegionStarted(plan.region, len(plan.images), pending_bytes(self._chosen())))
        for notice in plan.notices:
            self._tell(notice)
        try:
            self._passes()
        except CancelledError as error:
            self._tell(messages.error(plan.region, str(error)))
            return self._report(started, RegionState.CANCELLED, str(error))
        outcomes = self._all_outcomes()
        wrote = any(
            o.before.needs_content or o.before is Status.PENDING_METADATA for o in self.outcomes.values()
        )
        for notice in summary(plan.region, outcomes, self.sent_bytes, wrote=wrote):
            self._tell(notice)
        return self._report(started, region_state(outcomes, self.trouble), None)

    def _passes(self) -> None:
        self.leftovers = sort_leftovers(self.plan, datetime.now(UTC), leased=self.leased)
        self._clean_up()
        self._obsolete()
        self._deactivate()
        for planned in self._chosen(Status.PENDING_METADATA):
            self._attempt(planned, self._write_metadata)
        for planned in self._in_order():
            self._attempt(planned, self._bring)
            self.copier.distributor.drop(self.plan.region, planned.source.id)
        self._settle_references()
        for planned in self._chosen(Status.PENDING_AMI):
            self._attempt(planned, self._write_metadata)

    def _chosen(self, *statuses: Status) -> list[PlannedImage]:
        return [
            planned
            for planned in self.plan.images
            if (not statuses or planned.item.status in statuses)
            and (self.names is None or planned.item.name in self.names)
        ]

    def _in_order(self) -> list[PlannedImage]:
        chosen = {planned.item.name for planned in self._chosen()}
        return [planned for planned in execution_order(self.plan) if planned.item.name in chosen]

    def _clean_up(self) -> None:
        """Finish what a killed run published, remove what it left half-made (13 no. 21)."""
        for todo in self.plan.unfinished:
            self._guarded(
                f"finishing the replacement of {todo.image.name}",
                partial(
                    clear_away,
                    self.destination.store,
                    todo.image,
                    todo.old,
                    todo.disposal,
                    self.destination.target.policy,
                    self.plan.taken_names,
                ),
            )
        for image in self.leftovers.garbage:
            self._guarded(f"removing half-made image {image.id}", partial(self._remove, image))

    def _remove(self, image: Image) -> None:
        try:
            self.destination.store.delete_image(image.id)
        except NotFoundError:
            return

    def _obsolete(self) -> None:
        for change in self.plan.obsolete:
            self._check_stop()
            self._tell(messages.updating_obsolete(self.plan.region, change.label))
            self._guarded(
                f"updating obsolete image {change.image.name}",
                partial(self._update, change.image, change.changes),
            )

    def _deactivate(self) -> None:
        """Copies of images that the master has deactivated follow it (14.8)."""
        store = self.destination.store
        for image in self.plan.deactivate:
            self._check_stop()
            if isinstance(store, ActsOnState):
                self._guarded(f"deactivating image {image.name}", partial(store.deactivate_image, image.id))

    def _settle_references(self) -> None:
        """Patch references of images made in this run to images made after them (PR6)."""
        for planned in self.plan.images:
            image = self.made.get(planned.item.name)
            if image is None:
                continue
            if changes := self._changes(planned.source, image):
                self._guarded(
                    f"renewing the references of {planned.item.name}",
                    partial(self._update, image, changes),
                )

    def _attempt(self, planned: PlannedImage, action: Callable[[PlannedImage], Outcome]) -> None:
        """One image in isolation: whatever fails is its outcome, and the next image is worked on."""
        self._check_stop()
        if reason := self._reason_to_skip(planned):
            self.failed.add(planned.item.name)
            self._tell(messages.error(self.plan.region, f"image {planned.item.name} is left out: {reason}"))
            self._finish(self._outcome(planned, Result.SKIPPED, error=reason))
            return
        item = planned.item
        self.listener(ItemStarted(self.plan.region, item.name, item.status, item.size_bytes))
        try:
            outcome = action(planned)
            self.unreachable_in_a_row = 0
        except CancelledError as error:
            self._finish(self._outcome(planned, Result.CANCELLED, error=str(error)))
            raise
        except SynclineError as error:
            self._note_failure(item, error)
            outcome = self._outcome(planned, Result.FAILED, error=str(error))
        self._finish(outcome)

    def _reason_to_skip(self, planned: PlannedImage) -> str | None:
        if self.unreachable_in_a_row >= GIVE_UP_AFTER_UNREACHABLE:
            return "the region does not answer"
        if planned.item.status.needs_content:
            if self.uploads_stopped:
                return self.uploads_stopped
            if planned.item.name in self.leftovers.in_progress:
                return "another run is copying this image at the moment"
        waiting = [name for _, name in references.names(planned.source) if name in self.failed]
        return f"it needs {', '.join(waiting)}, which failed" if waiting else None

    def _note_failure(self, item: Item, error: SynclineError) -> None:
        self.failed.add(item.name)
        self._tell(messages.error(self.plan.region, f"image {item.name}: {error}"))
        if isinstance(error, QuotaError | StoreFullError):
            self.uploads_stopped = f"no more uploads: {error.what}"
        unreachable = isinstance(error, UnreachableError)
        self.unreachable_in_a_row = self.unreachable_in_a_row + 1 if unreachable else 0

    def _write_metadata(self, planned: PlannedImage) -> Outcome:
        image = planned.destination
        if image is None:
            raise NotFoundError(f"image {planned.item.name} is not in the region", where=self.plan.region)
        self._tell(messages.updating_metadata(self.plan.region, planned.item.name, dry_run=False))
        self._warn_missing(planned.source)
        self._update(image, self._changes(planned.source, image))
        sync_extras(self.destination, planned.source, image, self.stop)
        return self._outcome(planned, Result.DONE, status=Status.OK, destination_id=image.id)

    def _bring(self, planned: PlannedImage) -> Outcome:
        item, store = planned.item, self.destination.store
        self._tell(messages.transferring(self.plan.region, item.name, item.status, item.size_bytes))
        self._warn_missing(planned.source)
        copy = self._copy(planned)
        disposal = DISPOSALS.get(item.status)
        old = (planned.destination, disposal) if disposal and planned.destination else None
        policy, taken = self.destination.target.policy, self.plan.taken_names
        image = publish(store, planned.source, copy.image, policy, self.ids, old, taken)
        self.ids[item.name] = image.id
        self.made[item.name] = image
        sync_extras(self.destination, planned.source, image, self.stop)
        self.sent_bytes += item.size_bytes or 0
        self._tell(messages.transferred(self.plan.region))
        done = self._outcome(planned, Result.DONE, status=Status.OK, destination_id=image.id)
        return replace(done, sent_bytes=copy.sent_bytes, attempts=copy.attempts, transport=copy.transport)

    def _copy(self, planned: PlannedImage) -> Copy:
        if adopted := self.leftovers.complete.get(planned.item.name):
            return Copy(adopted, "adopted", 0, 0)
        region, name = self.plan.region, planned.item.name
        return self.copier.copy(
            planned.source, self.ids, lambda sent: self.listener(ItemProgressed(region, name, sent))
        )

    def _warn_missing(self, source: Image) -> None:
        for key, name in references.missing_references(source, self.ids):
            self._tell(messages.reference_not_found(self.plan.region, name, key, source.name or ""))

    def _changes(self, source: Image, image: Image) -> Changes:
        return metadata_changes(source, image, self.destination.target.policy, self.ids)

    def _update(self, image: Image, changes: Changes) -> None:
        if changes:
            self.destination.store.update_image(image.id, changes)

    def _guarded(self, what: str, action: Callable[[], object]) -> None:
        """Work beside the items: a failure is told and counted, and the run goes on."""
        try:
            action()
        except CancelledError:
            raise
        except SynclineError as error:
            self.trouble += 1
            self._tell(messages.error(self.plan.region, f"{what}: {error}"))

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise CancelledError("stopped on request", where=self.plan.region)

    def _tell(self, notice: Notice) -> None:
        if notice.level is not Level.INFO:
            self.notices.append(notice)
        self.listener(Noticed(self.plan.region, notice))

    def _outcome(
        self,
        planned: PlannedImage,
        result: Result,
        *,
        status: Status | None = None,
        error: str | None = None,
        destination_id: str | None = None,
    ) -> Outcome:
        before = planned.item
        after = replace(
            before,
            status=status or before.status,
            error=error,
            reasons=() if status is Status.OK else before.reasons,
            destination_id=destination_id or before.destination_id,
        )
        return Outcome(after, before.status, result)

    def _finish(self, outcome: Outcome) -> None:
        self.outcomes[outcome.item.name] = outcome
        self.listener(ItemFinished(self.plan.region, outcome))

    def _all_outcomes(self) -> tuple[Outcome, ...]:
        """One outcome per planned image, in the order of the plan."""
        return tuple(
            self.outcomes.get(planned.item.name)
            or Outcome(planned.item, planned.item.status, Result.UNCHANGED)
            for planned in self.plan.images
        )

    def _report(self, started: float, state: RegionState, error: str | None) -> RegionReport:
        outcomes = self._all_outcomes()
        return RegionReport(
            region=self.plan.region,
            state=state,
            outcomes=outcomes,
            notices=tuple(self.notices),
            sent_bytes=self.sent_bytes,
            duration_seconds=monotonic() - started,
            error=error,
            counts=status_counts(outcomes),
        )
