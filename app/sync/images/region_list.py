"""All regions of all targets, looked up in the catalogues now and then (spec images 9.3 [P])."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from app.errors import UnknownRegionError
from app.sync.images.conf.model import Settings
from app.sync.images.model import RegionRef
from app.sync.images.stores.base import Cloud

TTL_SECONDS = 300.0
UNKNOWN_PAUSE_SECONDS = 5.0
"""How soon a name that is not in the list may make us look again: regions are added now and then."""


class RegionList:
    """Full region names, kept for ``TTL_SECONDS``; safe for many threads, one look-up at a time."""

    def __init__(self, settings: Settings, open_cloud: Callable[[], Cloud]) -> None:
        self._settings = settings
        self._open_cloud = open_cloud
        self._lock = Lock()
        self._names: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._looked_at = float("-inf")

    def names(self) -> list[str]:
        """Every region, the master's target first, then by name.

        Raises:
            RemoteError: a catalogue cannot be read and no list is known yet.

        """
        self._refresh(TTL_SECONDS)
        return self._names

    def require(self, region: str) -> str:
        """The region's full name; ``master:NAME`` is understood.

        Raises:
            UnknownRegionError: there is no such region.

        """
        name = region.removeprefix("master:")
        self._refresh(TTL_SECONDS)
        if name not in self._known:
            self._refresh(UNKNOWN_PAUSE_SECONDS)
        if name not in self._known:
            raise UnknownRegionError(f"Invalid region {region}")
        return name

    def _refresh(self, ttl_seconds: float) -> None:
        if monotonic() - self._looked_at < ttl_seconds:
            return
        with self._lock:
            if monotonic() - self._looked_at < ttl_seconds:
                return
            cloud = self._open_cloud()
            targets = sorted(self._settings.targets, key=lambda name: (name != "master", name))
            names = [
                RegionRef(target, name).full for target in targets for name in cloud.region_names(target)
            ]
            self._names, self._known = names, frozenset(names)
            self._looked_at = monotonic()
