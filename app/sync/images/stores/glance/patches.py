"""From drafts and changes to what Glance is told: creation bodies and JSON patches (spec 14.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import ForbiddenError
from app.sync.images.model import Changes, Draft, PropertyValue
from app.sync.images.stores.glance.records import is_reserved

PATCH_TYPE = "application/openstack-images-v2.1-json-patch"

Operation = Mapping[str, object]
"""One member of a JSON patch: ``op``, ``path`` and, unless it removes, ``value``."""


def creation_body(draft: Draft, image_id: str) -> dict[str, object]:
    """The body that makes a new private image under its temporary name.

    Properties without a value are left out. Raises ``ForbiddenError`` for a property that carries the
    name of an attribute of Glance: it could publish the image before it is verified.
    """
    body: dict[str, object] = {
        "id": image_id,
        "name": draft.temporary_name,
        "visibility": "private",
        "disk_format": draft.disk_format,
        "container_format": draft.container_format,
        "min_disk": draft.min_disk,
        "min_ram": draft.min_ram,
        "tags": sorted(draft.tags),
    }
    if draft.hidden:
        body["os_hidden"] = True
    refuse_reserved(draft.properties)
    body |= {key: text(value) for key, value in draft.properties.items()}
    return {key: value for key, value in body.items() if value is not None}


def attribute_operations(changes: Changes) -> list[Operation]:
    """The part of a patch that sets base attributes, tags included."""
    values = {
        "name": changes.name,
        "visibility": changes.visibility,
        "os_hidden": changes.hidden,
        "protected": changes.protected,
        "min_disk": changes.min_disk,
        "min_ram": changes.min_ram,
        "tags": None if changes.tags is None else sorted(changes.tags),
    }
    return [
        {"op": "replace", "path": f"/{key}", "value": value}
        for key, value in values.items()
        if value is not None
    ]


def property_operations(changes: Changes, present: frozenset[str] | None = None) -> list[Operation]:
    """The part of a patch that sets and removes properties, one operation for each key.

    Setting works whether or not the key is there. A value of None removes the key. Removing a key
    that is not there is refused by Glance, so keys outside ``present`` are left out if that is known.
    """
    refuse_reserved(changes.set_properties)
    values = {key: text(value) for key, value in changes.set_properties.items()}
    added: list[Operation] = [
        {"op": "add", "path": pointer(key), "value": value}
        for key, value in values.items()
        if value is not None
    ]
    gone = {key for key, value in values.items() if value is None} | (
        changes.remove_properties - values.keys()
    )
    removed: list[Operation] = [
        {"op": "remove", "path": pointer(key)} for key in sorted(gone) if present is None or key in present
    ]
    return added + removed


def refuse_reserved(properties: Mapping[str, PropertyValue]) -> None:
    """``ForbiddenError`` if a property has the name of an attribute of Glance itself."""
    wrong = sorted(filter(is_reserved, properties))
    if wrong:
        raise ForbiddenError(f"properties with reserved names: {', '.join(map(repr, wrong))}")


def text(value: PropertyValue) -> str | None:
    """A property value as Glance holds it: text, or nothing."""
    return None if value is None else str(value)


def pointer(key: str) -> str:
    """A property key as a JSON pointer of one segment."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def key_of(operation: Operation) -> str:
    """The attribute or property an operation writes."""
    return str(operation["path"])[1:].replace("~1", "/").replace("~0", "~")
