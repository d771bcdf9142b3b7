"""What a new copy of an image is created with, published with, and how its predecessor retires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.sync.images import references
from app.sync.images.compare import Verdict, hash_verdict, metadata_changes
from app.sync.images.conf.model import Policy, SetMode
from app.sync.images.model import Changes, Draft, Image, PropertyValue
from app.sync.images.properties import surplus_properties, wanted_properties
from app.sync.images.provenance import (
    COPY_HASH,
    FINISH,
    SOURCE_HASH,
    SOURCE_ID,
    TARGET_NAME,
    WRITER,
    content_id,
    marks,
)

NAME_LIMIT_CHARACTERS = 255
"""Longest image name that Glance takes."""
RETIRED_SUFFIX = ".old"
WORKING_MARKS = frozenset({WRITER, TARGET_NAME, SOURCE_ID})


def make_draft(
    source: Image, policy: Policy, ids: Mapping[str, str], *, temporary_name: str, writer: str
) -> Draft:
    """A copy of a catalogue image before it has data (5.3, 14.4).

    Args:
        ids: image name to id in the region; a reference that it does not resolve is left out.
        writer: names the process at work, so that a later run can tell whether it is gone.

    """
    name = source.name or ""
    properties: dict[str, PropertyValue] = wanted_properties(source, policy)
    properties.update(references.translated(source, ids))
    properties.update(marks(source, name, writer))
    return Draft(
        name=name,
        temporary_name=temporary_name,
        properties=properties,
        disk_format=source.disk_format,
        container_format=source.container_format,
        min_disk=source.min_disk,
        min_ram=source.min_ram,
        tags=frozenset() if policy.tags_mode is SetMode.OFF else source.tags,
    )


def publish_changes(
    source: Image, created: Image, policy: Policy, ids: Mapping[str, str], finish: str | None
) -> Changes:
    """What turns a verified private copy into the region's image of that name, in one write.

    Whatever meanwhile differs from the source is put right as well: references to images made since,
    and properties that a server-side import added of its own accord. The marks of origin stay where the
    target wants them, and where the next run could not recognise the copy by its hash.

    Args:
        created: the copy as it is in the region now.
        finish: the mark that remembers what becomes of the image it replaces, if it replaces one.

    """
    changes = metadata_changes(source, created, policy, ids)
    setting = dict(changes.set_properties)
    removing = changes.remove_properties | surplus_properties(source, created, policy)
    removing |= WORKING_MARKS & created.properties.keys()
    recognisable = hash_verdict(source, created) is Verdict.SAME
    if (policy.provenance_properties or not recognisable) and content_id(source) and content_id(created):
        setting[SOURCE_HASH] = content_id(source)
        setting[COPY_HASH] = content_id(created)
    else:
        removing |= {SOURCE_HASH, COPY_HASH} & created.properties.keys()
    if finish is not None:
        setting[FINISH] = finish
    return replace(changes, name=source.name, set_properties=setting, remove_properties=removing)


def retire_changes(old: Image, taken_names: frozenset[str]) -> Changes:
    """What puts a replaced image aside: a name of its own, private, all properties kept (5.5, 13 no. 20).

    Args:
        taken_names: names that the new one must not collide with.

    """
    visibility = "private" if old.visibility != "private" else None
    return Changes(name=_retired_name(old.name or "", taken_names), visibility=visibility)


def _retired_name(name: str, taken_names: frozenset[str]) -> str:
    number = 1
    while True:
        suffix = RETIRED_SUFFIX if number == 1 else f"{RETIRED_SUFFIX}{number}"
        candidate = name[: NAME_LIMIT_CHARACTERS - len(suffix)] + suffix
        if candidate not in taken_names:
            return candidate
        number += 1
