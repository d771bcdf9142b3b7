"""From a configured credential to a Keystone v3 login (spec 14.10)."""

from __future__ import annotations

import re
import threading
from typing import Any, TypedDict
from urllib.parse import urlsplit, urlunsplit

import requests
from keystoneauth1 import access
from keystoneauth1.exceptions import InvalidResponse
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from app.errors import CredentialError
from app.sync.images.conf.model import Credential

_VERSION_SUFFIX = re.compile(r"/v(2\.0|3(\.\d+)?)$")
_DEFAULT_DOMAIN = "default"
_REMEDIES = {
    "password": "check user, password, project and domains",
    "applicationcredential": "the application credential may be expired, deleted or limited by access rules",
    "token": "the token has expired or was revoked: get a new one",
    "trust": "check user and password, and that the trust still exists",
}


class Scope(TypedDict, total=False):
    """What a token is valid for, in Keystone's terms."""

    trust_id: str
    project_id: str
    project_name: str
    project_domain_id: str
    project_domain_name: str


class SharedLogin(v3.Auth):
    """A login that several threads may use: one of them asks Keystone, the others wait for its token."""

    def __init__(self, auth_url: str, method: v3.AuthMethod, scope: Scope) -> None:
        super().__init__(auth_url, [method], **scope)
        self._guard = threading.RLock()

    def get_access(self, session: Session, **details: Any) -> access.AccessInfo:  # noqa: ANN401
        """The current token and catalogue, renewed when the token is about to expire.

        Raises keystoneauth's exceptions; ``InvalidResponse`` also where it would stumble over an
        answer that is JSON but no token.
        """
        with self._guard:
            try:
                return super().get_access(session, **details)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                self.auth_ref = None
                raise InvalidResponse(response=requests.Response()) from error

    def invalidate(self) -> bool:
        """Forget the token; the next use asks for a new one."""
        with self._guard:
            return super().invalidate()


class ReadyToken(SharedLogin):
    """A token that was got elsewhere, used for what it is valid for.

    Asking for another one in exchange would lose its project, and many clouds do not allow it.
    """

    def __init__(self, auth_url: str, token: str) -> None:
        super().__init__(auth_url, v3.TokenMethod(token=token), {})
        self._token = token

    def get_auth_ref(self, session: Session) -> access.AccessInfoV3:
        """What Keystone knows of the token, its catalogue included."""
        headers = {"X-Auth-Token": self._token, "X-Subject-Token": self._token}
        answer = session.get(self.token_url, headers=headers, authenticated=False, log=False)
        return access.AccessInfoV3(auth_token=self._token, body=answer.json())


def keystone_root(text: str) -> str:
    """The Keystone address without version suffix, credentials, query and trailing slash.

    Raises ``CredentialError`` when ``text`` is no http(s) address.
    """
    try:
        parts = urlsplit(text.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise _no_address() from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address()
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = _VERSION_SUFFIX.sub("", parts.path.rstrip("/")).rstrip("/")
    return urlunsplit((parts.scheme, f"{host}{port}", path, "", ""))


def _no_address() -> CredentialError:
    return CredentialError(
        "keystone_url is not an http or https address", remedy="write it as https://HOST:5000/v3"
    )


def kind(credential: Credential) -> str:
    """Canonical name of the authentication type: ``v3applicationcredential`` and the like included."""
    name = credential.auth_type.lower().replace("_", "").replace("-", "").removeprefix("v3")
    if name not in _REMEDIES:
        raise CredentialError(
            f"unknown auth_type {credential.auth_type!r}",
            remedy="use password, applicationcredential, token or trust",
        )
    return "trust" if name == "password" and credential.trust_id else name


def remedy(credential: Credential) -> str:
    """What a person can do when Keystone refuses this credential."""
    return _REMEDIES[kind(credential)]


def shared_login(credential: Credential) -> SharedLogin:
    """The login of a credential; no I/O. ``CredentialError`` if a part is missing."""
    name = kind(credential)
    method, valid_for = _METHODS[name](credential), scope(credential, name)
    url = keystone_root(credential.auth_url) + "/v3"
    if name == "token" and not valid_for:
        return ReadyToken(url, credential.token)
    return SharedLogin(url, method, valid_for)


def scope(credential: Credential, name: str) -> Scope:
    """What the token shall be valid for; an application credential implies its project."""
    if name == "applicationcredential":
        return {}
    if name == "trust":
        return {"trust_id": _required(credential.trust_id, "trust_id")}
    if credential.project_id:
        return {"project_id": credential.project_id}
    if not credential.project_name and name == "token":
        return {}
    project = _required(credential.project_name, "tenant (project name)")
    if credential.project_domain_name and not credential.project_domain_id:
        return {"project_name": project, "project_domain_name": credential.project_domain_name}
    return {"project_name": project, "project_domain_id": credential.project_domain_id or _DEFAULT_DOMAIN}


def _user(credential: Credential) -> dict[str, str]:
    if credential.user_id:
        return {"user_id": credential.user_id}
    name = {"username": _required(credential.username, "user")}
    if credential.user_domain_name and not credential.user_domain_id:
        return name | {"user_domain_name": credential.user_domain_name}
    return name | {"user_domain_id": credential.user_domain_id or _DEFAULT_DOMAIN}


def _password(credential: Credential) -> v3.AuthMethod:
    return v3.PasswordMethod(password=_required(credential.password, "password"), **_user(credential))


def _application_credential(credential: Credential) -> v3.AuthMethod:
    secret = _required(credential.application_credential_secret, "application_credential_secret")
    if credential.application_credential_id:
        return v3.ApplicationCredentialMethod(
            application_credential_id=credential.application_credential_id,
            application_credential_secret=secret,
        )
    name = _required(credential.application_credential_name, "application_credential_id")
    return v3.ApplicationCredentialMethod(
        application_credential_name=name, application_credential_secret=secret, **_user(credential)
    )


def _token(credential: Credential) -> v3.AuthMethod:
    return v3.TokenMethod(token=_required(credential.token, "token"))


def _required(value: str, option: str) -> str:
    if not value:
        raise CredentialError(f"the credential lacks {option}")
    return value


_METHODS = {
    "password": _password,
    "trust": _password,
    "applicationcredential": _application_credential,
    "token": _token,
}
