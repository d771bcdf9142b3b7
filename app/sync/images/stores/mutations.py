"""What a draft and a change make of an image record, the same for every local store. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from app.sync.images.model import Changes, Draft, Image, PropertyValue

_Value = TypeVar("_Value")


def drafted(draft: Draft, region: str, image_id: str, owner: str, created_at: str | None = None) -> Image:
    """The private image without content that a draft asks for; an empty ``owner`` means nobody."""
    return Image(
        region=region,
        id=image_id,
        name=draft.temporary_name,
        status="queued",
        owner=owner or None,
        visibility="private",
        properties=dict(draft.properties),
        disk_format=draft.disk_format,
        container_format=draft.container_format,
        min_disk=draft.min_disk,
        min_ram=draft.min_ram,
        hidden=draft.hidden,
        tags=draft.tags,
        created_at=created_at,
    )


def changed(image: Image, changes: Changes) -> Image:
    """The image after an update; what ``changes`` leaves at ``None`` stays."""
    return replace(
        image,
        name=_chosen(changes.name, image.name),
        visibility=_chosen(changes.visibility, image.visibility),
        hidden=_chosen(changes.hidden, image.hidden),
        protected=_chosen(changes.protected, image.protected),
        min_disk=_chosen(changes.min_disk, image.min_disk),
        min_ram=_chosen(changes.min_ram, image.min_ram),
        tags=_chosen(changes.tags, image.tags),
        properties=_changed_properties(image, changes),
    )


def _chosen(new: _Value | None, old: _Value) -> _Value:
    return old if new is None else new


def _changed_properties(image: Image, changes: Changes) -> dict[str, PropertyValue]:
    kept = {key: value for key, value in image.properties.items() if key not in changes.remove_properties}
    return {**kept, **changes.set_properties}
