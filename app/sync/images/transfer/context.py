"""What every transport is handed: both ends, limits, and whom to tell about progress."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from app.sync.images.conf.model import Target
from app.sync.images.model import Image, RegionRef
from app.sync.images.stores.base import ImageStore

OpenStore = Callable[[RegionRef], ImageStore]
"""A fresh store, for use by the calling thread alone."""

PROGRESS_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Destination:
    """The region that receives, for the whole run over it."""

    region: RegionRef
    store: ImageStore
    target: Target


@dataclass(frozen=True, slots=True)
class Route:
    """Things all transfers of a run share. ``master_location`` names the master's federation."""

    master_region: RegionRef
    master_location: str
    open_store: OpenStore
    images_dir: Path | None
    stop: Event


@dataclass(frozen=True, slots=True)
class Delivery:
    """One image on its way: ``source`` is the catalogue record, ``image_id`` the new one's id."""

    source: Image
    image_id: str
    destination: Destination
    on_progress: Callable[[int], None]


def counted(chunks: Iterable[bytes], on_progress: Callable[[int], None]) -> Iterator[bytes]:
    """The chunks; tells the sum of bytes every few MiB and at the end."""
    sent = told = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        if sent - told >= PROGRESS_BYTES:
            told = sent
            on_progress(sent)
    on_progress(sent)
