"""Marks on images that Syncline is working on, so that a killed run's traces explain themselves.

An image is created private under a temporary name and carries these properties until it is published
(spec 14.6). ``WRITER`` names the process at work; a mark whose process is gone is a leftover.
``FINISH`` stays on a published image until the one it replaces is deleted or renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.sync.images.model import Image, PropertyValue

PREFIX = "syncline_"
WRITER = "syncline_writer"
TARGET_NAME = "syncline_name"
SOURCE_ID = "syncline_source_id"
FINISH = "syncline_finish"
SOURCE_HASH = "sync_source_hash"
COPY_HASH = "sync_copy_hash"
TEMPORARY_PREFIX = "syncline-partial-"


class Disposal(StrEnum):
    """What becomes of the image that a new copy takes the place of."""

    DELETE = "delete"
    RENAME = "rename"


def content_id(image: Image) -> str:
    """``algo:hex`` of the best known hash of an image, ``md5:hex`` failing that, else empty."""
    if image.hash_algo and image.hash_value:
        return f"{image.hash_algo}:{image.hash_value}"
    return f"md5:{image.checksum}" if image.checksum else ""


def marks(source: Image, name: str, writer: str) -> dict[str, PropertyValue]:
    """Properties of an image being made from ``source`` by ``writer``."""
    return {WRITER: writer, TARGET_NAME: name, SOURCE_ID: source.id, SOURCE_HASH: content_id(source)}


def is_partial(image: Image) -> bool:
    """Whether the image is (or was left) in the making."""
    return WRITER in image.properties and TARGET_NAME in image.properties


def finish_mark(disposal: Disposal, old_id: str) -> str:
    """Value of ``FINISH`` on a published image."""
    return f"{disposal.value}:{old_id}"


def unfinished(properties: Mapping[str, PropertyValue]) -> tuple[Disposal, str] | None:
    """What a published image still has to do to the one it replaced, if anything."""
    disposal, _, old_id = str(properties.get(FINISH, "")).partition(":")
    if old_id and disposal in (Disposal.DELETE, Disposal.RENAME):
        return Disposal(disposal), old_id
    return None
