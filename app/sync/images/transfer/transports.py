"""The ways by which bytes reach a queued image. Each returns once the data is there or raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Thread

from app.errors import StoreError
from app.sync.images.stores.base import CHUNK_BYTES, RecordsContent
from app.sync.images.transfer.choice import (
    GLANCE_DIRECT,
    GLANCE_DOWNLOAD,
    LOCAL_FILE,
    RECORD,
    STREAM,
    WEB_DOWNLOAD,
)
from app.sync.images.transfer.context import Delivery, Route, counted
from app.sync.images.transfer.distribution import Share
from app.sync.images.transfer.imports import importer, wait_until_active
from app.sync.images.transfer.reading import resumed, verified

Transport = Callable[[Delivery, Share, Route], None]


def image_file(images_dir: Path, image_id: str) -> Path:
    """Where a local copy of a master image is expected (spec 2.3).

    Raises:
        StoreError: the id is not a plain file name.

    """
    if not image_id or image_id in (".", "..") or "/" in image_id or "\0" in image_id:
        raise StoreError(f"image id {image_id!r} is not a file name", where=str(images_dir))
    return images_dir / image_id


def _file_chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise StoreError(f"cannot read {path.name}: {error.strerror}", where=str(path.parent)) from error


@contextmanager
def _branch(delivery: Delivery, share: Share, route: Route) -> Iterator[Iterable[bytes]]:
    """This region's end of the shared reading; the leader also starts it."""
    if share.tee is None or share.branch is None:
        raise StoreError("no stream was opened for this transfer", where=delivery.destination.region.full)
    if share.leads:
        Thread(
            target=share.tee.pump,
            args=(lambda: _source_chunks(delivery, share, route),),
            name=f"read {delivery.source.id}",
            daemon=True,
        ).start()
    try:
        yield counted(share.branch, delivery.on_progress)
    finally:
        share.branch.close()


def _source_chunks(delivery: Delivery, share: Share, route: Route) -> Iterator[bytes]:
    """The verified content, read by a store of the pump's own."""
    store = route.open_store(share.holder.region)

    def open_at(offset_bytes: int) -> AbstractContextManager[Iterator[bytes]]:
        return store.read_data(share.holder.image_id, offset_bytes)

    target = delivery.destination.target
    chunks = resumed(open_at, delivery.source.size, target.retries, route.stop)
    return verified(chunks, delivery.source)


def stream(delivery: Delivery, share: Share, route: Route) -> None:
    """Read from the holder, hash, and send in the same breath."""
    with _branch(delivery, share, route) as chunks:
        delivery.destination.store.write_data(delivery.image_id, chunks, delivery.source.size)


def glance_direct(delivery: Delivery, share: Share, route: Route) -> None:
    """Like ``stream``, by way of the staging area, for servers that forbid the direct way."""
    store = delivery.destination.store
    with _branch(delivery, share, route) as chunks:
        importer(store).stage_data(delivery.image_id, chunks, delivery.source.size)
    _import(delivery, route, {"name": GLANCE_DIRECT})


def local_file(delivery: Delivery, share: Share, route: Route) -> None:
    """Send the file that lies in ``images_dir``, if it is what the master says it is."""
    del share
    if route.images_dir is None:
        raise StoreError("images_dir is not set", where=delivery.destination.region.full)
    chunks = verified(_file_chunks(image_file(route.images_dir, delivery.source.id)), delivery.source)
    delivery.destination.store.write_data(
        delivery.image_id, counted(chunks, delivery.on_progress), delivery.source.size
    )


def glance_download(delivery: Delivery, share: Share, route: Route) -> None:
    """Let the destination's Glance fetch the image from a region of the same federation."""
    method = {
        "name": GLANCE_DOWNLOAD,
        "glance_region": share.holder.region.name,
        "glance_image_id": share.holder.image_id,
        "glance_service_interface": delivery.destination.target.interface,
    }
    _import(delivery, route, method)


def web_download(delivery: Delivery, share: Share, route: Route) -> None:
    """Let the destination's Glance fetch the image from the configured address."""
    del share
    target = delivery.destination.target
    uri = target.web_download_uri.replace("{id}", delivery.source.id)
    _import(delivery, route, {"name": WEB_DOWNLOAD, "uri": uri})


def record(delivery: Delivery, share: Share, route: Route) -> None:
    """Backup files hold no data: only what is known of the content is copied."""
    del share, route
    store = delivery.destination.store
    if not isinstance(store, RecordsContent):
        raise StoreError("this store wants data", where=store.region)
    store.record_content(delivery.image_id, delivery.source)


def _import(delivery: Delivery, route: Route, method: dict[str, str]) -> None:
    target, store = delivery.destination.target, delivery.destination.store
    importer(store).import_image(delivery.image_id, method, target.policy.stores)
    wait_until_active(store, delivery.image_id, target.import_timeout_seconds, route.stop)
    delivery.on_progress(delivery.source.size or 0)


TRANSPORTS: dict[str, Transport] = {
    RECORD: record,
    LOCAL_FILE: local_file,
    GLANCE_DOWNLOAD: glance_download,
    WEB_DOWNLOAD: web_download,
    STREAM: stream,
    GLANCE_DIRECT: glance_direct,
}
STREAMING = frozenset({STREAM, GLANCE_DIRECT})
FROM_HOLDER = frozenset({STREAM, GLANCE_DIRECT, GLANCE_DOWNLOAD})
"""Transports that read an image of some region, so that a copy made before can serve."""
