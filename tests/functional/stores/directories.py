"""Images in a directory store, made and read the short way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from app.sync.images.model import Draft, Image
from app.sync.images.stores.directory import DirectoryStore

from .conftest import CONTENT, Place

Drafts = Callable[..., Draft]


def active(place: Place, draft: Drafts, content: bytes = CONTENT, **fields: object) -> Image:
    """An image with content."""
    store = place.store()
    image_id = store.create_image(draft(**fields)).id
    store.write_data(image_id, [content], len(content))
    return store.get_image(image_id)


def read(store: DirectoryStore, image_id: str, offset_bytes: int = 0) -> bytes:
    """The whole content from an offset on."""
    with store.read_data(image_id, offset_bytes) as pieces:
        return b"".join(pieces)


def region_path(place: Place) -> Path:
    """The region's directory."""
    return place.root / "Burgos"


def write_metadata(place: Place, name: str, content: bytes) -> Path:
    """Put a file into the region by hand."""
    path = region_path(place) / name
    path.write_bytes(content)
    return path


def record(**fields: object) -> bytes:
    """Metadata of the active image ``x``."""
    return json.dumps({"version": 1, "id": "x", "status": "active", **fields}).encode()
