"""What follows an image beside its record: further stores of the region, members (spec images 14.2, 14.6)."""

from __future__ import annotations

from threading import Event
from time import monotonic

from app.errors import RemoteFaultError, RemoteTimeoutError
from app.sync.images.compare import member_changes, missing_stores
from app.sync.images.model import Image
from app.sync.images.stores.base import ActsOnState, Imports
from app.sync.images.transfer.context import Destination
from app.sync.images.transfer.reading import pause

COPY_IMAGE = "copy-image"
POLL_SECONDS = 0.5


def sync_extras(destination: Destination, source: Image, image: Image, stop: Event) -> None:
    """Bring the image to the stores and members that the target wants.

    Args:
        image: the region's image, as it was listed or published.

    Raises:
        RemoteError: the region refuses or does not get ready.

    """
    _sync_members(destination, source, image)
    _sync_stores(destination, image, stop)


def _sync_members(destination: Destination, source: Image, image: Image) -> None:
    store = destination.store
    changes = member_changes(source, image, destination.target.policy)
    if (changes.add or changes.remove) and isinstance(store, ActsOnState):
        store.set_members(image.id, sorted(changes.add), sorted(changes.remove))


def _sync_stores(destination: Destination, image: Image, stop: Event) -> None:
    store = destination.store
    missing = missing_stores(image, destination.target.policy)
    if not missing or not isinstance(store, Imports):
        return
    store.import_image(image.id, {"name": COPY_IMAGE}, sorted(missing))
    deadline = monotonic() + destination.target.import_timeout_seconds
    while missing - destination.store.get_image(image.id).stores:
        if reason := store.import_failure(image.id):
            raise RemoteFaultError(f"copying to further stores failed: {reason}", where=store.region)
        if monotonic() >= deadline:
            raise RemoteTimeoutError(
                f"image {image.id} is still not in the stores {', '.join(sorted(missing))}",
                where=destination.region.full,
            )
        pause(stop, POLL_SECONDS)
