"""Waiting for a Glance that fetches data by itself (spec images 14.6)."""

from __future__ import annotations

from threading import Event
from time import monotonic

from app.errors import NotFoundError, RemoteFaultError, RemoteTimeoutError, StoreError
from app.sync.images.model import Image
from app.sync.images.stores.base import ImageStore, Imports
from app.sync.images.transfer.reading import pause

FIRST_POLL_SECONDS = 0.05
SLOWEST_POLL_SECONDS = 5.0
POLL_GROWTH = 1.5


def importer(store: ImageStore) -> Imports:
    """The store's import calls.

    Raises:
        StoreError: the store has none.

    """
    if isinstance(store, Imports):
        return store
    raise StoreError("this store cannot import", where=store.region)


def wait_until_active(store: ImageStore, image_id: str, timeout_seconds: float, stop: Event) -> Image:
    """Poll with growing pauses until the image can be used.

    Raises:
        RemoteFaultError: the server says that the import failed, with its reason.
        RemoteTimeoutError: the image is still not active after ``timeout_seconds``.
        CancelledError: ``stop`` was set.

    """
    imports = importer(store)
    deadline = monotonic() + timeout_seconds
    wait_seconds = FIRST_POLL_SECONDS
    while True:
        image = store.get_image(image_id)
        if image.is_active:
            return image
        if image.status in ("killed", "deleted", "pending_delete"):
            raise NotFoundError(f"image {image_id} is {image.status}", where=store.region)
        if reason := imports.import_failure(image_id):
            raise RemoteFaultError(f"the import failed: {reason}", where=store.region)
        if monotonic() >= deadline:
            raise RemoteTimeoutError(
                f"the import of image {image_id} is still {image.status} after {timeout_seconds:.0f} s",
                where=store.region,
            )
        pause(stop, wait_seconds)
        wait_seconds = min(wait_seconds * POLL_GROWTH, SLOWEST_POLL_SECONDS)
