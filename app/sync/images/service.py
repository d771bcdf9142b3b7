"""Everything an interface can ask of images, in one place: status, synchronise, list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Event, Lock

from app.errors import RemoteError, StoreError, SynclineError, UnknownRegionError
from app.sync.engine import run_regions
from app.sync.events import Event as RunEvent
from app.sync.events import Listener, Noticed, RegionFinished, RegionStarted
from app.sync.images import messages, regions
from app.sync.images.apply.region import RegionRun
from app.sync.images.apply.reporting import dry_run_notices, pending_bytes, status_counts
from app.sync.images.apply.writer import this_writer
from app.sync.images.catalog import build_catalog
from app.sync.images.conf.model import Settings, Target
from app.sync.images.model import Image, RegionRef, Snapshot, is_foreign
from app.sync.images.plan import Catalog, PlannedImage, RegionPlan
from app.sync.images.planner import execution_order, plan_region
from app.sync.images.stores.base import Cloud, ImageStore
from app.sync.images.transfer.context import Destination, Route
from app.sync.images.transfer.copying import Copier
from app.sync.images.transfer.distribution import Distributor
from app.sync.status import Level, Notice, Outcome, RegionReport, RegionState, Result


def ignore(event: RunEvent) -> None:
    """The listener of those who only want the report."""
    del event


def snapshot(store: ImageStore) -> Snapshot:
    """All that the store lists, at one time."""
    images = tuple(store.list_images())
    return Snapshot(store.region, store.project_id, images)


class ImageService:
    """One configuration, one cloud. Every method may be called again; nothing but the catalogue is kept.

    Args:
        listener: told what goes on; called from the threads that work on regions.
        stop: set it to end a run at the next chunk.
        region_stop: the event that ends work on one region (full name) and on no other; it must count
            as set also when ``stop`` is.
        leased: whether the caller holds the leases of the regions that it synchronises.

    """

    def __init__(
        self,
        settings: Settings,
        cloud: Cloud,
        *,
        listener: Listener | None = None,
        stop: Event | None = None,
        region_stop: Callable[[str], Event] | None = None,
        leased: bool = False,
    ) -> None:
        self.settings = settings
        self.cloud = cloud
        self._listener = listener or ignore
        self._stop = stop or Event()
        self._region_stop = region_stop
        self._leased = leased
        self._master = RegionRef("master", settings.master_region)
        self._catalog: Catalog | None = None
        self._catalog_lock = Lock()

    def resolve(self, arguments: Sequence[str]) -> list[RegionRef]:
        """The regions that command line arguments mean, in the order of work (7.2).

        Raises:
            UnknownRegionError: a region or target does not exist.

        """
        return regions.resolve(arguments, self.settings, self.cloud.region_names)

    def show_regions(self) -> list[str]:
        """Full names of all destinations of all targets (7.6)."""
        return regions.show_regions(self.settings, self.cloud.region_names)

    def catalog(self) -> Catalog:
        """The master's images, listed once; raises when the master cannot be listed."""
        with self._catalog_lock:
            if self._catalog is None:
                self._catalog = build_catalog(snapshot(self.cloud.store(self._master)))
            return self._catalog

    def plan(self, region: RegionRef) -> RegionPlan:
        """What the region lacks, from a fresh listing of it."""
        return self._plan(region, self.cloud.store(region))

    def plan_and_listing(self, region: RegionRef) -> tuple[RegionPlan, tuple[Image, ...]]:
        """The plan together with the listing that it was made from."""
        seen = snapshot(self.cloud.store(region))
        return plan_region(self.catalog(), seen, self._target(region).policy), seen.images

    def statuses(self, wanted: Sequence[RegionRef]) -> Iterator[tuple[RegionRef, RegionPlan | SynclineError]]:
        """The plan of each region, or why there is none; regions never stop each other."""
        self.catalog()
        for region in wanted:
            try:
                yield region, self.plan(region)
            except (RemoteError, StoreError) as error:
                yield region, error

    def sync(
        self,
        wanted: Sequence[RegionRef],
        *,
        dry_run: bool = False,
        parallel: bool = False,
        names: frozenset[str] | None = None,
    ) -> list[RegionReport]:
        """Make the regions equal to the master.

        Args:
            dry_run: say what would be done and write nothing (PR2).
            parallel: up to ``max_children`` regions at once.
            names: only these images.

        Raises:
            SynclineError: the master cannot be listed. Failures of regions are in the reports.

        """
        self.catalog()
        work = self._rehearse if dry_run else self._applier()
        workers = min(self.settings.max_children, max(1, len(wanted))) if parallel else 1
        return run_regions(
            wanted,
            lambda region: self._reported(region, work, names),
            name=lambda region: region.full,
            workers=workers,
            stop=self._stop,
        )

    def images(self, region: RegionRef, *, only_ours: bool = False) -> list[Image]:
        """What the region lists, in its order."""
        seen = snapshot(self.cloud.store(region))
        return [i for i in seen.images if not only_ours or not is_foreign(i.owner, seen.project_id)]

    def _target(self, region: RegionRef) -> Target:
        try:
            return self.settings.targets[region.target]
        except KeyError:
            raise UnknownRegionError(f"unknown target {region.target!r}", where=region.full) from None

    def _plan(self, region: RegionRef, store: ImageStore) -> RegionPlan:
        return plan_region(self.catalog(), snapshot(store), self._target(region).policy)

    def _reported(
        self,
        region: RegionRef,
        work: Callable[[RegionRef, frozenset[str] | None], RegionReport],
        names: frozenset[str] | None,
    ) -> RegionReport:
        """One region's report, with failures of the region as a whole turned into one."""
        try:
            report = work(region, names)
        except SynclineError as error:
            notice = messages.error(region.full, str(error))
            self._listener(Noticed(region.full, notice))
            report = RegionReport(region.full, RegionState.FAILED, notices=(notice,), error=str(error))
        self._listener(RegionFinished(report))
        return report

    def _rehearse(self, region: RegionRef, names: frozenset[str] | None) -> RegionReport:
        plan = self.plan(region)
        content = [p for p in execution_order(plan) if names is None or p.item.name in names]
        others = [
            p
            for p in plan.images
            if not p.item.status.needs_content and (names is None or p.item.name in names)
        ]
        self._listener(RegionStarted(plan.region, len(plan.images), pending_bytes(content)))
        lines = (*plan.notices, *dry_run_notices(plan, [*others, *content]))
        for notice in lines:
            self._listener(Noticed(plan.region, notice))
        return _rehearsal(plan, lines)

    def _applier(self) -> Callable[[RegionRef, frozenset[str] | None], RegionReport]:
        distributor = Distributor(self._stop)
        route = Route(
            master_region=self._master,
            master_location=self.cloud.store(self._master).location,
            open_store=self.cloud.store,
            images_dir=self.settings.images_dir,
            stop=self._stop,
        )

        def work(region: RegionRef, names: frozenset[str] | None) -> RegionReport:
            distributor.enter(region.full)
            try:
                return self._apply(region, names, distributor, route)
            finally:
                distributor.leave(region.full)

        return work

    def _apply(
        self, region: RegionRef, names: frozenset[str] | None, distributor: Distributor, route: Route
    ) -> RegionReport:
        store = self.cloud.store(region)
        plan = self._plan(region, store)
        distributor.expect(region.full, {p.source.id for p in _needing_content(plan, names)})
        destination = Destination(region, store, self._target(region))

        def on_trouble(what: str, error: SynclineError) -> None:
            notice = Notice(Level.WARNING, f"{region.full}: {what}: {error}")
            self._listener(Noticed(region.full, notice))

        stop = self._region_stop(region.full) if self._region_stop else self._stop
        writer = this_writer(leased=self._leased)
        copier = Copier(destination, replace(route, stop=stop), distributor, writer, on_trouble)
        run = RegionRun(plan, destination, copier, self._listener, stop, names, self._leased)
        return run.run()


def _needing_content(plan: RegionPlan, names: frozenset[str] | None) -> list[PlannedImage]:
    return [p for p in plan.images if p.item.status.needs_content and (names is None or p.item.name in names)]


def _rehearsal(plan: RegionPlan, lines: Sequence[Notice]) -> RegionReport:
    outcomes = tuple(Outcome(p.item, p.item.status, Result.UNCHANGED) for p in plan.images)
    errors = any(o.item.status.is_error for o in outcomes)
    return RegionReport(
        region=plan.region,
        state=RegionState.PARTIAL if errors else RegionState.OK,
        outcomes=outcomes,
        notices=tuple(n for n in lines if n.level is not Level.INFO),
        counts=status_counts(outcomes),
    )
