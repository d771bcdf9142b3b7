"""Entries of ``clouds.yaml`` and ``secure.yaml``, the files of the OpenStack clients (spec images 14.10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from app.errors import ConfigurationError, CredentialError
from app.sync.images.conf.model import Credential
from app.sync.images.conf.reader import exists, read_text
from app.sync.images.conf.values import path_below

_AUTH_FIELDS = frozenset(item.name for item in fields(Credential)) - {"auth_type"}
_ALIASES = {"tenant_name": "project_name", "tenant_id": "project_id"}
_TLS_PATHS = ("cacert", "cert", "key")


@dataclass(frozen=True, slots=True)
class CloudEntry:
    """What one entry says, as texts.

    Attributes:
        identity: fields of ``Credential``; blank ones are left out. Not shown: it holds secrets.
        tls: ``cacert``, ``cert`` and ``key``, as paths.
        verify: False if the entry switches certificate checks off.

    """

    identity: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Mapping[str, str] = field(default_factory=dict)
    verify: bool = True
    interface: str = ""
    region_name: str = ""


def read_cloud(name: str, environ: Mapping[str, str], working_directory: Path) -> CloudEntry:
    """The entry of that name, with what ``secure.yaml`` adds to it.

    ``OS_CLIENT_CONFIG_FILE`` (``OS_CLIENT_SECURE_FILE``) names the file; else the first one found in the
    working directory, ``~/.config/openstack`` and ``/etc/openstack`` counts.

    Raises:
        CredentialError: there is no such file or entry.
        ConfigurationError: a file is unreadable, not YAML or not of the expected shape.

    """
    home = environ.get("HOME", "")
    path = _find("clouds", "OS_CLIENT_CONFIG_FILE", environ, working_directory)
    if path is None:
        raise CredentialError(
            f"cloud {name!r} is wanted, but there is no clouds.yaml",
            remedy="put it into ~/.config/openstack, or name it in OS_CLIENT_CONFIG_FILE",
        )
    entries = _entries(path)
    if name not in entries:
        known = ", ".join(sorted(str(key) for key in entries)) or "none"
        raise CredentialError(f"there is no cloud {name!r}", where=str(path), remedy=f"known: {known}")
    entry = _mapping(entries[name], f"{path}, cloud {name}")
    secure_path = _find("secure", "OS_CLIENT_SECURE_FILE", environ, working_directory)
    if secure_path is not None:
        entry = _merged(entry, _mapping(_entries(secure_path).get(name), f"{secure_path}, cloud {name}"))
    return _cloud_entry(
        entry, f"{path}, cloud {name}", lambda text: path_below(working_directory, home, text)
    )


def _find(stem: str, variable: str, environ: Mapping[str, str], working_directory: Path) -> Path | None:
    named = environ.get(variable, "")
    if named:
        return working_directory / named
    home = environ.get("HOME", "")
    user = environ.get("XDG_CONFIG_HOME", "") or (f"{home}/.config" if home else "")
    folders = (working_directory, *([Path(user) / "openstack"] if user else ()), Path("/etc/openstack"))
    candidates = (folder / f"{stem}.{suffix}" for folder in folders for suffix in ("yaml", "yml", "json"))
    return next((path for path in candidates if exists(path)), None)


def _entries(path: Path) -> Mapping[str, Any]:
    # most configurations name no cloud, and the parser takes a while to import
    import yaml

    try:
        content = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # the parser's own words may quote the secret that it stumbled over
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        raise ConfigurationError(
            "the file is not YAML", where=where, remedy="quote values that hold special characters"
        ) from None
    clouds = content.get("clouds") if isinstance(content, dict) else None
    if not isinstance(clouds, dict):
        raise ConfigurationError("the file has no mapping `clouds`", where=str(path))
    return clouds


def _mapping(value: object, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigurationError("a mapping is expected", where=where)
    return value


def _merged(entry: dict[str, Any], secure: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: {**entry[key], **secure[key]}
        for key in entry.keys() & secure.keys()
        if _both(entry, secure, key)
    }
    return {**entry, **secure, **both}


def _both(entry: dict[str, Any], secure: dict[str, Any], key: str) -> bool:
    return isinstance(entry[key], dict) and isinstance(secure[key], dict)


def _cloud_entry(entry: dict[str, Any], where: str, to_path: Callable[[str], Path]) -> CloudEntry:
    auth = _mapping(entry.get("auth"), where)
    identity = {
        _ALIASES.get(key, key): _text(auth[key], f"auth.{key}", where)
        for key in auth
        if _ALIASES.get(key, key) in _AUTH_FIELDS
    }
    identity["auth_type"] = _text(entry.get("auth_type"), "auth_type", where)
    paths = {key: _text(entry.get(key), key, where) for key in _TLS_PATHS}
    verify = entry.get("verify", True)
    if not isinstance(verify, bool):
        raise ConfigurationError("verify is not a truth value", where=where, remedy="write true or false")
    return CloudEntry(
        identity={key: value for key, value in identity.items() if value},
        tls={key: str(to_path(value)) for key, value in paths.items() if value},
        verify=verify,
        interface=_text(entry.get("interface"), "interface", where),
        region_name=_text(entry.get("region_name"), "region_name", where),
    )


def _text(value: object, key: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        # YAML has already turned 0123 into 83: the number is not what was written
        raise ConfigurationError(f"{key} is not a text", where=where, remedy="put its value in quotes")
    return value
