"""Reads the service's settings from an INI file and the environment (spec images 10).

The environment wins over the file, the file over the defaults. A key nobody knows is a fault, as
is a value of the wrong type; all faults are reported together, one line each.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints

from app.errors import ConfigurationError
from app.settings import SECTIONS, Schedule, ServiceSettings

FILE_VARIABLE = "SYNCLINE_SETTINGS_FILE"
LEGACY_FILE_VARIABLE = "GLANCESYNC_SETTINGS_FILE"
DEFAULT_FILES = (Path("/etc/syncline/syncline.cfg"), Path("/etc/fiware.d/fiware-glancesync.cfg"))
_PREFIX = "SYNCLINE_"
_FILE_SUFFIX = "_FILE"
# The others belong to the command line and to the lab.
_NOT_OPTIONS = frozenset({FILE_VARIABLE, "SYNCLINE_YES", "SYNCLINE_LAB_VENV"})

LEGACY_OPTIONS: Mapping[tuple[str, str], str | None] = {
    ("openstack", "keystone_url"): "keystone_url",
    ("openstack", "adm_user"): "service_username",
    ("openstack", "adm_pass"): "service_password",
    ("openstack", "adm_tenant_id"): "service_project_id",
    ("openstack", "adm_tenant_name"): "service_project_name",
    ("openstack", "user_domain_name"): "service_user_domain_name",
    ("openstack", "auth_api_v3"): None,
    ("openstack", "auth_api_v2"): None,
    ("openstack", "region_list_api_v3"): None,
    ("glancesync", "settings_type"): None,
    ("glancesync", "owner"): "owner",
    ("glancesync", "api_info_url"): "api_info_url",
    ("glancesync", "version"): "version",
    ("glancesync", "status"): "status",
    ("glancesync", "updated"): "updated",
    ("glancesync", "port"): "port",
    ("glancesync", "host"): "host",
    ("http", "content_type"): None,
    ("http", "accept"): None,
    ("http", "json_type"): None,
    ("http", "x_auth_token_header"): None,
    ("http", "x_subject_token_header"): None,
    ("http", "tokens_path_v2"): None,
    ("http", "tokens_path_v3"): None,
    ("http", "server"): "server_header",
    ("http", "server_header"): None,
    ("gunicorn", "workers"): "web_workers",
    ("gunicorn", "pidfile"): "pidfile",
    ("gunicorn", "loglevel"): "log_level",
}
"""The original's options and what they are called here; None: read over, Keystone v3 settles it."""

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(slots=True)
class _Found:
    """What the sources said so far: option -> (text, where it stands), and what is wrong."""

    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    schedules: list[Schedule] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def _text(value: str) -> str:
    return value


def _flag(value: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True}
    known |= {"false": False, "no": False, "off": False, "0": False}
    if value.lower() not in known:
        raise ValueError("not true or false")
    return known[value.lower()]


def _names(value: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", value) if part)


def duration_seconds(value: str) -> float:
    """Seconds from ``90``, ``15m``, ``6h`` or ``1d``.

    Raises:
        ValueError: it is none of these.

    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", value.strip())
    if match is None:
        raise ValueError("not a number with s, m, h or d")
    return float(match[1]) * _UNITS[match[2]]


def _clock_seconds(value: str) -> float:
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value.strip())
    if match is None:
        raise ValueError("not a time like 03:30")
    return int(match[1]) * 3600.0 + int(match[2]) * 60.0


def _converter(hint: object) -> Callable[[str], Any]:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return lambda value: hint(value.lower())
    table: dict[object, Callable[[str], Any]] = {
        str: _text,
        bool: _flag,
        int: int,
        float: float,
        Path: Path,
        tuple[str, ...]: _names,
    }
    return table[hint]


def _options() -> dict[str, tuple[str, Callable[[str], Any], Field[Any]]]:
    """Every option: its section, how its text is read, and its field."""
    known: dict[str, tuple[str, Callable[[str], Any], Field[Any]]] = {}
    for section, group in SECTIONS.items():
        hints = get_type_hints(group)
        for entry in fields(group):
            if entry.name != "schedules":
                known[entry.name] = (section, _converter(hints[entry.name]), entry)
    return known


OPTIONS = _options()


def _schedule(name: str, body: Mapping[str, str], found: _Found) -> None:
    """One ``[schedule NAME]`` section: kind, every; optional at, jitter, lane, payload (JSON)."""
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "kind": ("kind", _text),
        "every": ("every_seconds", duration_seconds),
        "at": ("offset_seconds", _clock_seconds),
        "jitter": ("jitter_seconds", duration_seconds),
        "lane": ("lane", _text),
        "payload": ("payload", json.loads),
    }
    values: dict[str, Any] = {}
    faults = [f"schedule {name}: {key} is missing" for key in ("kind", "every") if not body.get(key)]
    for key, text in body.items():
        if key not in readers:
            faults.append(f"schedule {name}: unknown option {key}")
            continue
        try:
            values[readers[key][0]] = readers[key][1](text)
        except ValueError as error:
            faults.append(f"schedule {name}: {key} is {error}")
    if not isinstance(values.get("payload", {}), dict):
        faults.append(f"schedule {name}: payload is not a JSON object")
    found.faults.extend(faults)
    if not faults:
        found.schedules.append(Schedule(name=name, **values))


def _read_file(path: Path, found: _Found) -> None:
    # Percent signs are common in passwords, so nothing is interpolated.
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        found.faults.append(f"{path}: cannot be read ({error.__class__.__name__})")
        return
    except IniError as error:
        # The parser's own message repeats the line, which may hold a password.
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), (0,))[0]
        found.faults.append(f"{path}:{line}: not an INI file")
        return
    for section in parser.sections():
        body = dict(parser.items(section))
        if section.startswith("schedule "):
            _schedule(section.removeprefix("schedule ").strip(), body, found)
            continue
        for key, text in body.items():
            _take(section, key, text, path, found)


def _take(section: str, key: str, text: str, path: Path, found: _Found) -> None:
    """Accept one option of the file under its own name, or under the original's."""
    where = f"{path} [{section}]"
    if key in OPTIONS and OPTIONS[key][0] == section:
        found.texts[key] = (text, where)
    elif (section, key) in LEGACY_OPTIONS:
        name = LEGACY_OPTIONS[section, key]
        if name is not None and text:
            found.texts[name] = (text, where)
    else:
        found.faults.append(f"{where}: unknown option {key}")


def _read_environment(environment: Mapping[str, str], found: _Found) -> None:
    for variable, text in sorted(environment.items()):
        if not variable.startswith(_PREFIX) or variable in _NOT_OPTIONS:
            continue
        name = variable.removeprefix(_PREFIX).lower()
        secret = name.removesuffix(_FILE_SUFFIX.lower())
        if name in OPTIONS:
            found.texts[name] = (text, variable)
        elif name != secret and secret in OPTIONS and not OPTIONS[secret][2].repr:
            _read_secret(secret, variable, Path(text), found)
        else:
            found.faults.append(f"{variable}: unknown option")


def _read_secret(name: str, variable: str, path: Path, found: _Found) -> None:
    try:
        found.texts[name] = (path.read_text(encoding="utf-8").strip(), variable)
    except (OSError, UnicodeDecodeError) as error:
        found.faults.append(f"{variable}: {path} cannot be read ({error.__class__.__name__})")


def _build(found: _Found) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, (text, where) in found.texts.items():
        section, convert, entry = OPTIONS[name]
        try:
            groups[section][name] = convert(text)
        except ValueError:
            shown = repr(text) if entry.repr else "the value"
            found.faults.append(f"{where}: {name}: {shown} is not {_wanted(entry)}")
    groups["jobs"]["schedules"] = tuple(found.schedules)
    return {section: SECTIONS[section](**values) for section, values in groups.items()}


def _wanted(entry: Field[Any]) -> str:
    default = entry.default
    if isinstance(default, StrEnum):
        return "one of " + ", ".join(type(default))
    return {bool: "true or false", int: "a whole number", float: "a number"}.get(type(default), "valid")


def settings_file(environment: Mapping[str, str]) -> Path | None:
    """The file to read: the one that is named, else the first usual one that exists."""
    for variable in (FILE_VARIABLE, LEGACY_FILE_VARIABLE):
        if environment.get(variable):
            return Path(environment[variable])
    return next((path for path in DEFAULT_FILES if path.is_file()), None)


def load_settings(environment: Mapping[str, str] | None = None, *, web: bool = True) -> ServiceSettings:
    """Read and check all settings.

    Args:
        environment: variables to read; those of the process when left out.
        web: whether what only the web processes need is checked too.

    Raises:
        ConfigurationError: one line for each fault found.

    """
    environment = os.environ if environment is None else environment
    found = _Found()
    path = settings_file(environment)
    if path is not None:
        _read_file(path, found)
    _read_environment(environment, found)
    groups = _build(found)
    settings = ServiceSettings(**groups, source=str(path) if path else "environment")
    faults = [*found.faults, *settings.faults(web=web)]
    if faults:
        raise ConfigurationError("\n".join(faults), remedy="each line names one option to mend")
    return settings
