"""Running regions beside each other: bounded, isolated, stoppable. Knows nothing of images or packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from app.errors import SynclineError
from app.sync.status import RegionReport, RegionState

R = TypeVar("R")


def run_regions(
    regions: Iterable[R],
    work: Callable[[R], RegionReport],
    *,
    name: Callable[[R], str],
    workers: int,
    stop: Event,
) -> list[RegionReport]:
    """One report per region, in the order given. A region that fails never stops another.

    Args:
        work: does everything for one region; a ``SynclineError`` it raises becomes a failed report.
        workers: regions at once, at least 1.
        stop: once set, regions not yet started are reported as cancelled.

    """

    def isolated(region: R) -> RegionReport:
        if stop.is_set():
            return RegionReport(name(region), RegionState.CANCELLED, error="stopped on request")
        try:
            return work(region)
        except SynclineError as error:
            return RegionReport(name(region), RegionState.FAILED, error=str(error))

    listed = list(regions)
    if workers <= 1:
        return [isolated(region) for region in listed]
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="region") as pool:
        return list(pool.map(isolated, listed))
