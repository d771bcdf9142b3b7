"""From options, OS_* variables and clouds.yaml to a client of the service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keystoneauth1.session import Session as KeystoneSession
from syncline_client import Client

from app.cli.connect import secrets_of
from app.cli.failures import Session
from app.errors import CredentialError
from app.sync.images.conf.clouds import CloudEntry, read_cloud
from app.sync.images.conf.findings import Place
from app.sync.images.conf.identity import (
    IDENTITY_OPTIONS,
    Fields,
    below,
    check_complete,
    missing_fields,
    to_credential,
    typed,
)
from app.sync.images.conf.model import Credential
from app.sync.images.stores.glance.identity import shared_login

KEYSTONE_SECONDS = 60.0
_VARIABLES = {option.attribute: option.env for option in IDENTITY_OPTIONS}


@dataclass(frozen=True, slots=True)
class Access:
    """How the service is reached, as far as options say it.

    Attributes:
        endpoint: address of the service; None: the catalogue's.
        cloud: entry of clouds.yaml; None: OS_CLOUD, if it is set.
        noauth: send no token even if there are credentials.

    """

    endpoint: str | None = None
    cloud: str | None = None
    noauth: bool = False


def open_client(
    access: Access, environ: Mapping[str, str], working_directory: Path, session: Session
) -> Client:
    """A client with the credential found; the endpoint alone means a service without authentication.

    The named entry of clouds.yaml counts first; OS_* variables give what it lacks.

    Raises:
        CredentialError: there is no credential, or a part of it is missing.
        ConfigurationError: clouds.yaml cannot be read.

    """
    name = access.cloud or environ.get("OS_CLOUD", "")
    wants_token = bool(name or environ.get("OS_AUTH_URL")) and not access.noauth
    if access.endpoint is not None and not wants_token:
        return Client.noauth(access.endpoint)
    entry = read_cloud(name, environ, working_directory) if name else CloudEntry()
    credential = _credential(below(dict(entry.identity), _variables(environ), inherits_domains=True))
    session.secrets |= secrets_of(credential)
    return Client(
        access.endpoint,
        _keystone_session(credential, entry, environ),
        region_name=entry.region_name or environ.get("OS_REGION_NAME") or None,
        interface=entry.interface or environ.get("OS_INTERFACE") or "public",
    )


def _variables(environ: Mapping[str, str]) -> Fields:
    found = {}
    for field, names in _VARIABLES.items():
        value = next((environ[name] for name in names if environ.get(name)), "")
        if value:
            found[field] = value
    return found


def _credential(fields: Fields) -> Credential:
    fields = typed(fields)
    missing = missing_fields(fields)
    if missing:
        names = ", ".join(_VARIABLES[field][0] for field in missing)
        raise CredentialError(
            f"the credential lacks {names}",
            remedy="set them, name an entry of clouds.yaml with --os-cloud, "
            "or give --endpoint alone for a service without authentication",
        )
    place = Place("--os-cloud or OS_*")
    check_complete(fields, place)
    return to_credential(fields, place)


def _keystone_session(
    credential: Credential, entry: CloudEntry, environ: Mapping[str, str]
) -> KeystoneSession:
    names = ("cacert", "cert", "key")
    cacert, cert, key = (entry.tls.get(name) or environ.get(f"OS_{name.upper()}") for name in names)
    return KeystoneSession(
        auth=shared_login(credential),
        verify=(cacert or True) if entry.verify else False,
        cert=(cert, key) if cert and key else cert,
        timeout=KEYSTONE_SECONDS,
        app_name="syncline",
        redirect=False,
    )
