"""One target's way into its cloud: token, catalogue, sessions."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping

import requests
from keystoneauth1 import exceptions as keystone
from keystoneauth1.access import AccessInfo
from keystoneauth1.session import Session

from app.errors import (
    AuthenticationError,
    BadAnswerError,
    CredentialError,
    RemoteError,
    SynclineError,
    UnreachableError,
)
from app.sync.images.conf.model import Credential, Target
from app.sync.images.stores.glance.failures import failure, one_line
from app.sync.images.stores.glance.identity import keystone_root, remedy, shared_login
from app.sync.images.stores.glance.retry import Retrier
from app.sync.images.stores.glance.transport import BoundedAdapter, Limits

_IMAGE_VERSION = re.compile(r"/v\d+(\.\d+)?$")


class Login:
    """Shared by all stores of a target: they have one token and each its own connections.

    Args:
        target: whose credential and limits are used; ``CredentialError`` if it has none.
        sleep: pauses between attempts, in seconds.

    """

    def __init__(self, target: Target, sleep: Callable[[float], None] = time.sleep) -> None:
        if target.credential is None:
            raise CredentialError("no credential", where=f"target {target.name}")
        try:
            self.location = keystone_root(target.credential.auth_url)
            self._plugin = shared_login(target.credential)
        except CredentialError as error:
            raise CredentialError(error.what, where=f"target {target.name}", remedy=error.remedy) from error
        self.target = target
        self.retrier = Retrier(target.retries, sleep)
        self._credential: Credential = target.credential

    def session(self, label: str) -> Session:
        """A new session: own connections, shared token. ``label`` names it in messages."""
        connections = requests.Session()
        connections.headers["Accept-Encoding"] = "identity"
        adapter = BoundedAdapter(label, Limits.of(self.target))
        for scheme in ("http://", "https://"):
            connections.mount(scheme, adapter)
        tls = self.target.tls
        return Session(
            auth=self._plugin,
            session=connections,
            verify=False if tls.insecure else tls.cacert or True,
            cert=(tls.cert, tls.key) if tls.cert and tls.key else tls.cert,
            app_name="syncline",
            redirect=False,
        )

    def access(self, session: Session) -> AccessInfo:
        """The current token and catalogue, asked of Keystone only when there is none yet."""

        def attempt(_: int) -> AccessInfo:
            try:
                return self._plugin.get_access(session)
            except keystone.ClientException as error:
                raise self.explain(error) from error

        return self.retrier.run(attempt)

    def project_id(self, session: Session) -> str:
        """The project of the token; ``AuthenticationError`` if it is for none."""
        project = self.access(session).project_id
        if not project:
            raise AuthenticationError("the credential is not for a project", where=self.where)
        return str(project)

    def image_endpoints(self, session: Session) -> dict[str, str]:
        """Address by region of every Glance of the target, configured ones over the catalogue's."""
        access = self.access(session)
        catalog = access.service_catalog.catalog if access.has_service_catalog() else []
        found = image_endpoints(catalog, self.target.interface)
        return found | {name: base_url(url) for name, url in self.target.endpoint_override.items()}

    @property
    def where(self) -> str:
        """Target and Keystone address, for messages."""
        return f"target {self.target.name} ({self.location})"

    def no_keystone(self) -> BadAnswerError:
        """The error for an address that answers, but not as Keystone does."""
        return BadAnswerError(
            "the answer is not that of a Keystone v3", where=self.where, remedy="check keystone_url"
        )

    def explain(self, error: keystone.ClientException) -> SynclineError:
        """One of our errors for one of Keystone's; the credential's secret is in neither."""
        if isinstance(error, keystone.NotFound) and self._credential.token:
            # This is how Keystone calls a token that has expired or was revoked.
            return AuthenticationError(
                one_line(str(error)), where=self.where, remedy=remedy(self._credential)
            )
        if isinstance(error, keystone.NotFound | keystone.InvalidResponse):
            return self.no_keystone()
        if isinstance(error, keystone.HttpError):
            headers = error.response.headers if error.response is not None else {}
            found = failure(
                error.http_status, headers, str(error.message or ""), doing="get a token", where=self.where
            )
            if isinstance(found, AuthenticationError):
                return AuthenticationError(found.what, where=self.where, remedy=remedy(self._credential))
            return found
        said = one_line(str(error))
        if isinstance(error, keystone.ConnectFailure):
            return UnreachableError(said, where=self.where)
        if isinstance(error, keystone.AuthorizationFailure):
            return AuthenticationError(said, where=self.where, remedy=remedy(self._credential))
        return RemoteError(said, where=self.where)


def image_endpoints(catalog: Iterable[Mapping[str, object]], interface: str) -> dict[str, str]:
    """Region name -> address of the image service with this interface (spec 14.10). Pure.

    The first of several endpoints of a region counts.
    """
    found: dict[str, str] = {}
    for service in catalog:
        endpoints = service.get("endpoints")
        if service.get("type") != "image" or not isinstance(endpoints, list):
            continue
        for endpoint in endpoints:
            region = endpoint.get("region_id") or endpoint.get("region")
            if endpoint.get("interface") == interface.removesuffix("URL") and region and endpoint.get("url"):
                found.setdefault(str(region), base_url(str(endpoint["url"])))
    return found


def base_url(url: str) -> str:
    """A Glance address without version and trailing slash."""
    return _IMAGE_VERSION.sub("", url.rstrip("/")).rstrip("/")
