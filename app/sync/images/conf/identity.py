"""The fields of a credential from several sources put together: pure rules (spec images 2.5, 14.10)."""

from __future__ import annotations

from app.errors import ConfigurationError, CredentialError
from app.sync.images.conf.findings import Place
from app.sync.images.conf.model import Credential
from app.sync.images.conf.option import MAIN, MASTER, Option, Record
from app.sync.images.conf.schema_credentials import AUTH_TYPES, CREDENTIAL_OPTIONS
from app.sync.images.conf.values import http_url

Fields = dict[str, str]
"""Fields of ``Credential`` by name; blank ones are left out."""

IDENTITY_OPTIONS = tuple(option for option in CREDENTIAL_OPTIONS if option.record is Record.CREDENTIAL)
_BY_FIELD = {option.attribute: option for option in IDENTITY_OPTIONS}
FOUR = ("username", "password", "auth_url", "project_name")
_USER = ("username", "user_id")
_SCOPE = ("project_name", "project_id", "trust_id")
_PROJECT = ("project_name", "project_id", "project_domain_name", "project_domain_id")
_USER_DOMAIN = ("user_domain_name", "user_domain_id")
_PROJECT_DOMAIN = ("project_domain_name", "project_domain_id")
_APPLICATION = ("application_credential_id", "application_credential_name")
_EXCLUSIVE = (_USER, _SCOPE, _USER_DOMAIN, _PROJECT_DOMAIN, _APPLICATION)
_ALIASES = {"v3password": "password", "v2password": "password", "token": "v3token", "v2token": "v3token"}


def below(upper: Fields, lower: Fields, *, inherits_domains: bool) -> Fields:
    """``upper``, and from ``lower`` what it lacks.

    Of names that exclude one another (an id and a name, a project and a trust) the upper one stays alone.

    Args:
        inherits_domains: also a name of ``upper`` without a domain takes the domain of ``lower``.

    """
    barred = {name for group in _EXCLUSIVE if any(key in upper for key in group) for name in group}
    if not inherits_domains:
        barred |= {name for name in _USER_DOMAIN if any(key in upper for key in _USER)}
        barred |= {name for name in _PROJECT_DOMAIN if any(key in upper for key in _SCOPE)}
    return {**{name: value for name, value in lower.items() if name not in barred}, **upper}


def typed(fields: Fields) -> Fields:
    """With ``auth_type`` as far as the fields tell it, so that no lower source can change it."""
    if "auth_type" in fields:
        return fields
    if any(name.startswith("application_credential") for name in fields):
        return {**fields, "auth_type": "v3applicationcredential"}
    if "token" in fields and "password" not in fields:
        return {**fields, "auth_type": "v3token"}
    if fields.keys() & {*_USER, "password"}:
        return {**fields, "auth_type": "password"}
    return fields


def _required(auth_type: str) -> tuple[tuple[str, ...], ...]:
    """Per thing that the kind of authentication cannot do without: the fields that may provide it."""
    if auth_type == "v3applicationcredential":
        return (("auth_url",), _APPLICATION, ("application_credential_secret",))
    if auth_type == "v3token":
        return (("auth_url",), ("token",))
    scope = ("trust_id",) if auth_type == "trust" else _SCOPE
    return (("auth_url",), _USER, ("password",), scope)


def missing_fields(fields: Fields) -> list[str]:
    """What the kind of authentication still needs, as names of fields."""
    auth_type = _canonical(fields)
    missing = [group[0] for group in _required(auth_type) if not any(name in fields for name in group)]
    by_name = auth_type == "v3applicationcredential" and "application_credential_id" not in fields
    if by_name and not missing and not any(name in fields for name in _USER):
        missing.append("username")
    return missing


def _canonical(fields: Fields) -> str:
    auth_type = fields.get("auth_type", "password")
    return _ALIASES.get(auth_type, auth_type)


def check_complete(fields: Fields, place: Place) -> None:
    """Make sure that the fields are enough to authenticate with.

    Raises:
        CredentialError: something is missing, or ``auth_type`` is unknown.

    """
    if _canonical(fields) not in AUTH_TYPES:
        raise place.error(
            f"auth_type {fields['auth_type']!r} is not known",
            f"use one of {', '.join(AUTH_TYPES)}",
            CredentialError,
        )
    missing = missing_fields(fields)
    if missing:
        options = [_BY_FIELD[name] for name in missing]
        names = ", ".join(option.name for option in options)
        what = f"the credential lacks {names}" if fields.keys() - {"auth_type"} else "there is no credential"
        raise place.error(what, _remedy(options, place.section), CredentialError)


def _remedy(options: list[Option], section: str) -> str:
    names = ", ".join(option.name for option in options)
    text = f"set {names} (or credential, or cloud) in [{section}]"
    if section == MASTER:
        return f"{text}, or {', '.join(option.env[0] for option in options)} in the environment"
    if section.strip().lower() == MAIN:
        return "write [main] in lower case if the general options are meant"
    return f"{text}; every section but [main] and [DEFAULT] is a target, remove it if it is none"


def to_credential(fields: Fields, place: Place) -> Credential:
    """The record of complete fields; what its kind of authentication has no use for is left out.

    Raises:
        CredentialError: the URL of Keystone is none.

    """
    auth_type = _canonical(fields)
    irrelevant = {
        "v3applicationcredential": {"password", "token", "trust_id", *_PROJECT},
        "v3token": {"password", *_USER, *_USER_DOMAIN},
    }.get(auth_type, {"token"})
    if auth_type != "v3applicationcredential":
        irrelevant |= {*_APPLICATION, "application_credential_secret"}
    elif "application_credential_id" in fields:
        irrelevant |= {"application_credential_name", *_USER, *_USER_DOMAIN}
    if "trust_id" in fields:
        irrelevant |= set(_PROJECT)
    kept = {name: value for name, value in fields.items() if name not in irrelevant}
    kept["auth_type"] = "password" if auth_type == "trust" else auth_type
    kept["auth_url"] = _auth_url(fields["auth_url"], place)
    return Credential(**kept)


def _auth_url(text: str, place: Place) -> str:
    """The URL of Keystone; version 2 of its API, which is gone, becomes version 3."""
    try:
        url = http_url(text).rstrip("/")
    except ConfigurationError as error:
        raise place.error(f"keystone_url: {error.what}", error.remedy, CredentialError) from error
    return _version_3(url)


def _version_3(url: str) -> str:
    return url.removesuffix("/v2.0") + "/v3" if url.endswith("/v2.0") else url


def without_secrets(fields: Fields) -> Credential | None:
    """What is of use without a server: whose project it is. No secret is among it."""
    kept = {name: fields[name] for name in (*_USER, *_SCOPE) if name in fields}
    return Credential(auth_url=_version_3(fields.get("auth_url", "")), **kept) if kept else None
