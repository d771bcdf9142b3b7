"""Reserves regions for a run of the command line where there is a service that others use as well."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event as StopEvent
from typing import Protocol

from app.errors import BusyError
from app.settings_reader import FILE_VARIABLE, load_settings, settings_file
from app.sync.events import Event
from app.sync.images.model import RegionRef
from app.sync.status import RegionReport, RegionState

DATABASE_VARIABLES = ("SYNCLINE_DATABASE_URL", "SYNCLINE_DATABASE_URL_FILE", FILE_VARIABLE)


class Leases(Protocol):
    """Regions that this program holds."""

    def take(self, region: str, names: Iterable[str] | None = None) -> None:
        """Hold a region; BusyError where somebody else is at it."""

    def stop_of(self, region: str) -> StopEvent:
        """The event that ends work on this region."""

    def listen(self, event: Event) -> None:
        """Take note of what goes on."""


class NoLeases:
    """There is no service, so there is nobody to agree with."""

    def __init__(self, stop: StopEvent) -> None:
        self._stop = stop

    def take(self, region: str, names: Iterable[str] | None = None) -> None:
        """Nobody else can be at it."""

    def stop_of(self, region: str) -> StopEvent:  # noqa: ARG002  # one event ends them all
        """The event that ends the run."""
        return self._stop

    def listen(self, event: Event) -> None:
        """Nobody wants to know."""


def has_service(environment: Mapping[str, str]) -> bool:
    """Whether a service's database is named, or the usual one is there.

    A settings file alone is no proof: the original's command line had to have one.
    """
    if any(environment.get(name) for name in DATABASE_VARIABLES):
        return True
    if settings_file(environment) is None:
        return False
    settings = load_settings(environment, web=False)
    default = settings.service.state_dir / "syncline.db"
    return bool(settings.service.database_url) or default.is_file()


def requester() -> str:
    """Who is shown as having started a task."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # A container may run as a user that has no name.
        return f"cli:{os.getuid()}"


@contextmanager
def leases(stop: StopEvent, *, wanted: bool) -> Iterator[Leases]:
    """What reserves regions for this run.

    Args:
        stop: set when the whole run is to end.
        wanted: False for runs that change nothing.

    Raises:
        ConfigurationError: the service's settings are wrong.
        DatabaseStateError: its database does not answer, or its tables are of another version.

    """
    if not wanted or not has_service(os.environ):
        yield NoLeases(stop)
        return
    settings = load_settings(web=False)
    # The database's library takes a quarter second, which a run without a service need not wait.
    from app.jobs.foreground import ForegroundWork

    with ForegroundWork(settings, requester(), stop) as work:
        yield work


def reserve(
    holder: Leases,
    regions: Iterable[RegionRef],
    names: frozenset[str] | None,
    refused: Callable[[str], None],
) -> tuple[list[RegionRef], dict[str, RegionReport]]:
    """The regions that this run holds now, and a failed report for each that somebody else is at."""
    free: list[RegionRef] = []
    busy: dict[str, RegionReport] = {}
    for region in regions:
        try:
            holder.take(region.full, names)
        except BusyError as error:
            refused(str(error))
            busy[region.full] = RegionReport(region.full, RegionState.FAILED, error=str(error))
        else:
            free.append(region)
    return free, busy
