"""The scheduled kind of work: start a task for each of many regions (``[schedule ...]`` of the settings)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from app.errors import ConfigurationError, UnknownRegionError
from app.jobs.handlers import JobContext
from app.jobs.region_tasks import RegionTasks
from app.sync.images.conf.model import Settings
from app.sync.images.service import ImageService
from app.sync.images.stores.base import Cloud
from app.sync.tasks import Mode, NewTask

SYNC_KIND = "region.sync"
EVERYTHING = "*"
REQUESTER = "schedule"


@dataclass(frozen=True, slots=True)
class Order:
    """What a schedule asks for.

    Attributes:
        regions: as on the command line (spec images 7.2), or ``*`` for every region of every target.

    """

    regions: tuple[str, ...] = (EVERYTHING,)
    mode: Mode = Mode.SYNC


def read_order(payload: Mapping[str, Any]) -> Order:
    """The order in a job's payload: ``{"regions": [...], "mode": "sync" | "dry_run" | "plan"}``.

    Raises:
        ConfigurationError: it holds something else.

    """
    unknown = set(payload) - {"regions", "mode"}
    if unknown:
        raise ConfigurationError(f"unknown member of the payload: {', '.join(sorted(unknown))}")
    regions = payload.get("regions", [EVERYTHING])
    if not isinstance(regions, list) or not regions or not all(isinstance(name, str) for name in regions):
        raise ConfigurationError("the payload's regions are not a list of names")
    mode = payload.get("mode", Mode.SYNC.value)
    if mode not in set(Mode):
        raise ConfigurationError(f"the payload's mode is not one of {', '.join(Mode)}")
    return Order(tuple(regions), Mode(mode))


def named_regions(service: ImageService, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Full names of what is meant, each once, and what is wrong with the names that mean nothing."""
    found: dict[str, None] = {}
    wrong = []
    for name in wanted:
        try:
            means = service.show_regions() if name == EVERYTHING else _resolved(service, name)
        except UnknownRegionError as error:
            wrong.append(str(error))
        else:
            found |= dict.fromkeys(means)
    return list(found), wrong


def _resolved(service: ImageService, name: str) -> list[str]:
    return [region.full for region in service.resolve([name])]


@dataclass(frozen=True, slots=True)
class RegionSync:
    """Starts tasks; it does none itself, so that each region's own worker can."""

    region_tasks: RegionTasks
    cloud: Callable[[], Cloud]
    settings: Callable[[], Settings]

    def run(self, context: JobContext, payload: Mapping[str, Any]) -> None:
        """Start a task for each region that has none. Done twice for one job, it starts nothing twice.

        Raises:
            ConfigurationError: the payload or the image configuration is wrong.
            UnknownRegionError: some names mean nothing; the others were started.
            RemoteError: a catalogue cannot be read.

        """
        order = read_order(payload)
        names, wrong = named_regions(ImageService(self.settings(), self.cloud()), order.regions)
        for region in names:
            context.check()
            self.region_tasks.start(self._new(context, region, order.mode))
        if wrong:
            raise UnknownRegionError("; ".join(wrong))

    def _new(self, context: JobContext, region: str, mode: Mode) -> NewTask:
        # The name itself may be longer than a key.
        digest = sha256(region.encode()).hexdigest()
        key = f"{context.job.id}:{digest}"
        return NewTask(region, REQUESTER, mode=mode, idempotency_key=key, request_hash=digest)
