"""One metadata update, all or nothing where the server lets it be so (spec 14.4)."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import ConflictError, ForbiddenError
from app.sync.images.model import Changes
from app.sync.images.stores.glance.api import GlanceApi
from app.sync.images.stores.glance.patches import (
    PATCH_TYPE,
    Operation,
    attribute_operations,
    key_of,
    property_operations,
)


def update(api: GlanceApi, path: str, changes: Changes) -> object:
    """Write ``changes`` to the image at ``path``; its record afterwards.

    One PATCH. If properties to be removed turn out to be gone already, the rest is written. If the
    server forbids the PATCH, attributes are tried alone (name and visibility still together) and
    then each property by itself: ``ForbiddenError`` from the attributes means that nothing was
    written, one that names properties means that everything else was.
    """
    attributes = attribute_operations(changes)
    properties = property_operations(changes)
    if not attributes and not properties:
        return api.json("GET", path)
    try:
        return patch(api, path, [*attributes, *properties])
    except ConflictError:
        if all(each["op"] != "remove" for each in properties):
            raise
        return _without_absent(api, path, changes)
    except ForbiddenError as error:
        if not properties:
            raise
        return _piecemeal(api, path, attributes, properties, error)


def patch(api: GlanceApi, path: str, operations: Sequence[Operation]) -> object:
    """The image's record after a JSON patch."""
    return api.json("PATCH", path, json=list(operations), headers={"Content-Type": PATCH_TYPE})


def _without_absent(api: GlanceApi, path: str, changes: Changes) -> object:
    record = api.json("GET", path)
    present = frozenset(record) if isinstance(record, dict) else frozenset()
    operations = [*attribute_operations(changes), *property_operations(changes, present)]
    return patch(api, path, operations) if operations else record


def _piecemeal(
    api: GlanceApi,
    path: str,
    attributes: Sequence[Operation],
    properties: Sequence[Operation],
    refusal: ForbiddenError,
) -> object:
    record = patch(api, path, attributes) if attributes else None
    forbidden: list[str] = []
    for operation in properties:
        try:
            record = patch(api, path, [operation])
        except ForbiddenError:
            forbidden.append(key_of(operation))
        except ConflictError:
            if operation["op"] != "remove":
                raise
    if forbidden:
        keys = ", ".join(map(repr, forbidden))
        raise ForbiddenError(
            f"not allowed to write {keys}, all else is written: {refusal.what}", where=api.where
        ) from refusal
    return api.json("GET", path) if record is None else record
