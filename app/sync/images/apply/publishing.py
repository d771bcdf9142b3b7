"""From a verified private copy to the region's image of that name, and the old one out of the way.

The order never leaves a moment without a usable image: publish, then clear away the old one, then take
the mark off that remembers the clearing. A run killed in between is finished by the next.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.errors import ForbiddenError, NotFoundError, RemoteError
from app.sync.images import drafts
from app.sync.images.conf.model import Policy
from app.sync.images.model import Changes, Image
from app.sync.images.provenance import FINISH, Disposal, finish_mark, is_partial
from app.sync.images.stores.base import ImageStore


def publish(
    store: ImageStore,
    source: Image,
    copy: Image,
    policy: Policy,
    ids: Mapping[str, str],
    old: tuple[Image, Disposal] | None,
    taken_names: frozenset[str],
) -> Image:
    """Give the copy its final name and visibility; then delete or rename the image it replaces.

    Args:
        old: the image whose place is taken and what becomes of it.
        taken_names: image names of the region, so that the renamed one gets a free name.

    Returns:
        The published image.

    """
    finish = finish_mark(old[1], old[0].id) if old else None
    try:
        published = store.update_image(copy.id, drafts.publish_changes(source, copy, policy, ids, finish))
    except RemoteError as error:
        if not error.retryable:
            _withdraw(store, copy.id)
        raise
    if old:
        published = clear_away(store, published, old[0], old[1], policy, taken_names)
    return published


def _withdraw(store: ImageStore, image_id: str) -> None:
    """Remove a copy that may not be published; one that is published but for single properties stays."""
    try:
        if is_partial(store.get_image(image_id)):
            store.delete_image(image_id)
    except NotFoundError:
        return


def clear_away(
    store: ImageStore,
    published: Image,
    old: Image | None,
    disposal: Disposal,
    policy: Policy,
    taken_names: frozenset[str],
) -> Image:
    """Delete or rename the replaced image, then forget about it on the new one. Safe to repeat.

    Raises:
        ForbiddenError: the old image is protected and ``unprotect`` is off; it was renamed instead.

    """
    refused: ForbiddenError | None = None
    try:
        if old is None:
            pass
        elif disposal is Disposal.RENAME:
            store.update_image(old.id, drafts.retire_changes(old, taken_names))
        else:
            refused = _delete(store, old, policy, taken_names)
    except NotFoundError:
        refused = None
    cleared = store.update_image(published.id, Changes(remove_properties=frozenset({FINISH})))
    if refused:
        raise refused
    return cleared


def _delete(
    store: ImageStore, old: Image, policy: Policy, taken_names: frozenset[str]
) -> ForbiddenError | None:
    """Delete the old image; a protected one is unprotected first or, if we may not, renamed (14.3)."""
    if old.protected:
        if not policy.unprotect:
            store.update_image(old.id, drafts.retire_changes(old, taken_names))
            return ForbiddenError(
                f"image {old.name} (UUID {old.id}) is protected; it was renamed instead of deleted",
                where=store.region,
                remedy="set unprotect = true to let Syncline delete protected images",
            )
        store.update_image(old.id, Changes(protected=False))
    store.delete_image(old.id)
    return None
