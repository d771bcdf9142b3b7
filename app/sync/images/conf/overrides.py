"""Options given on the command line (spec images 2.7)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import UsageError
from app.sync.images.conf.option import DEFAULT, OVERRIDE_PREFIX
from app.sync.images.conf.reader import Entry, normal_name

ORIGIN = "--config"
_NAME = re.compile(r"[\w.\- ]*")


def parse_overrides(items: Sequence[str]) -> list[Entry]:
    """What ``section.option=value`` and ``option=value`` (that is ``DEFAULT.option``) set.

    They count as if they stood at the end of the file: a bare option is weaker than the same option in a
    section. Only the first ``=`` divides, so a value may hold more of them.

    Raises:
        UsageError: an item without ``=`` or without a name, or with a name of more than two parts.

    """
    return [_parse(item) for item in items]


def _parse(item: str) -> Entry:
    key, equals, value = item.partition("=")
    section, option = _split(key.strip())
    if not equals or not section or not option:
        # only the name is shown: the rest may be a secret
        shown = (_NAME.match(key) or [""])[0]
        raise UsageError(
            f"{shown!r} sets no option",
            where=ORIGIN,
            remedy="write section.option=value, or option=value for all sections",
        )
    if "." in option and not option.startswith(OVERRIDE_PREFIX):
        raise UsageError(
            f"{key.strip()!r} has more than two parts",
            where=ORIGIN,
            remedy="write section.option=value",
        )
    return Entry(section, option, value.strip(), ORIGIN)


def _split(key: str) -> tuple[str, str]:
    section, dot, option = key.partition(".")
    if not dot or normal_name(key).startswith(OVERRIDE_PREFIX):
        return DEFAULT, normal_name(key)
    return section.strip(), normal_name(option)
