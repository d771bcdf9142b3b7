"""All regions of all targets of a configuration, in OpenStack clouds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.errors import UnknownRegionError
from app.sync.images.conf.model import Settings
from app.sync.images.model import RegionRef
from app.sync.images.stores.glance.api import GlanceApi
from app.sync.images.stores.glance.login import Login, base_url
from app.sync.images.stores.glance.store import GlanceStore

LOG = logging.getLogger(__name__)


class OpenStackCloud:
    """The ``Cloud`` of Keystone and Glance. May be used by several threads; its stores may not.

    Args:
        settings: the configuration; every target needs a credential once it is used.
        sleep: pauses between attempts, in seconds.

    """

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._logins: dict[str, Login] = {}
        self._guard = threading.Lock()

    def region_names(self, target: str) -> list[str]:
        """Regions with an image endpoint, alphabetical (spec 7.2).

        Raises ``UnknownRegionError`` for a target no configuration names, ``AuthenticationError``,
        ``UnreachableError`` and the like when Keystone does not tell.
        """
        login = self._login(target)
        return sorted(login.image_endpoints(login.session(f"target {target}")))

    def store(self, region: RegionRef) -> GlanceStore:
        """The store of a region; ``UnknownRegionError`` if the catalogue does not hold it.

        Asks Keystone for a token if the target has none yet, and Glance for nothing.
        """
        login = self._login(region.target)
        session = login.session(region.full)
        override = login.target.endpoint_override.get(region.name)
        url = base_url(override) if override else login.image_endpoints(session).get(region.name)
        if not url:
            raise UnknownRegionError(
                f"no {login.target.interface} image endpoint in region {region.full}", where=login.where
            )
        api = GlanceApi(session, url, f"{region.full} ({url})", login.retrier, login.explain)
        return GlanceStore(region, api, login, session)

    def _login(self, target: str) -> Login:
        with self._guard:
            if target not in self._logins:
                if target not in self._settings.targets:
                    raise UnknownRegionError(
                        f"unknown target {target!r}", remedy=f"known: {', '.join(self._settings.targets)}"
                    )
                login = Login(self._settings.targets[target], self._sleep)
                if login.target.tls.insecure:
                    LOG.warning("%s: certificates are NOT checked (insecure = true)", login.where)
                self._logins[target] = login
            return self._logins[target]
