"""The sample file: every option with its explanation, made from the schema."""

from __future__ import annotations

import textwrap
from itertools import groupby

from app.sync.images.conf.option import MAIN, Kind, Option
from app.sync.images.conf.schema import OPTIONS

_WIDTH = 100
_HEAD = """\
# Settings of image synchronisation. It is looked for under --config-file, then GLANCESYNC_CONFIG,
# /etc/fiware.d/glancesync.conf and /etc/glancesync.conf; without any file, target master is set up
# from the OS_* variables alone.
#
# Every option stands here with its default; take the # away to change it. Comments start in the first
# column, or after a blank and a semicolon. Indented lines continue the value above, and a backslash at
# the end of a line joins it with the next. %(name)s is replaced by the value of option name, %% is a
# percent sign; passwords are taken literally.
"""
_MAIN_HEAD = """
[main]
"""
_TARGET_HEAD = """
# Target master is the Keystone of the master region. Any other section is a further target, that is a
# group of regions with a credential and rules of its own; its regions are called <section>:<region>.
# What stands in [DEFAULT] counts for every section that does not say otherwise.
[master]
"""


def sample_text() -> str:
    """A complete, commented file that means exactly what no file means."""
    parts = [_HEAD]
    for section, options in groupby(OPTIONS, key=lambda option: option.section):
        parts.append(_MAIN_HEAD if section == MAIN else _TARGET_HEAD)
        for heading, members in groupby(options, key=lambda option: option.group):
            if heading:
                parts.append(f"\n# --- {heading} ---\n")
            parts.extend(_described(option) for option in members)
    return "".join(parts)


def _described(option: Option) -> str:
    notes = [option.help]
    kind = option.kind.value
    if option.choices:
        kind = f"{kind}: {', '.join(option.choices)}" if option.kind is Kind.CHOICE else kind
        notes += [] if option.kind is Kind.CHOICE else [f"Each one of: {', '.join(option.choices)}."]
    if option.kind in (Kind.INTEGER, Kind.SECONDS):
        notes.append(f"At least {option.minimum}.")
    if option.env:
        master = "" if option.section == MAIN else "In target master, "
        notes.append(f"{master}{' or '.join(option.env)} of the environment stands in for it.")
    notes += [option.remark] if option.remark else []
    text = textwrap.fill(
        f"{option.name} ({kind}): {' '.join(notes)}",
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"\n{text}\n#{option.name} = {option.default}".rstrip() + "\n"
