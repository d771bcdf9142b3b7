"""The configuration in force as options of ``glancesync.conf``, secrets masked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from app.cli.failures import MASK
from app.cli.text import one_line
from app.sync.images.conf.model import Settings, Target
from app.sync.images.conf.option import MAIN, Option, Record
from app.sync.images.conf.schema import OPTIONS

_USER_INFO = re.compile(r"//[^/@\s]*@")

Section = dict[str, str]


def option_text(value: object) -> str:
    """A value as it would be written in the file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}:{item}" for key, item in sorted(value.items()))
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value)))
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(getattr(value, "text", value))


def shown(option: Option, value: object) -> str:
    """The value for a person's eyes: a secret that is set becomes a mask, also within a URL."""
    text = option_text(value)
    if option.is_secret:
        return MASK if text else ""
    return one_line(_USER_INFO.sub(f"//{MASK}@", text))


def _records(target: Target) -> dict[Record, object]:
    return {
        Record.TARGET: target,
        Record.POLICY: target.policy,
        Record.TLS: target.tls,
        Record.CREDENTIAL: target.credential,
    }


def _section(options: Iterable[Option], records: Mapping[Record, object]) -> Section:
    section: Section = {}
    for option in options:
        record = records.get(option.record)
        if record is None:
            continue
        value = getattr(record, option.attribute)
        if isinstance(value, Mapping) and "<" in option.name:
            prefix = option.name.partition("<")[0]
            section |= {f"{prefix}{key}": shown(option, item) for key, item in sorted(value.items())}
        else:
            section[option.name] = shown(option, value)
    return section


def effective(settings: Settings) -> dict[str, Section]:
    """Section -> option -> text, for ``main`` and every target."""
    sections = {MAIN: _section(OPTIONS, {Record.SETTINGS: settings})}
    for target in settings.targets.values():
        sections[target.name] = _section(OPTIONS, _records(target))
    return sections


def as_file(sections: Mapping[str, Section]) -> str:
    """The sections in the syntax of the file."""
    blocks = (
        "\n".join([f"[{name}]", *(f"{key} = {value}".rstrip() for key, value in section.items())])
        for name, section in sections.items()
    )
    return "\n\n".join(blocks) + "\n"
