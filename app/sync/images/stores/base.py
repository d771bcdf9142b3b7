"""The contract between the engine and the places where images live.

Every method raises a class of ``app.errors`` and nothing else: ``RemoteError`` trees from servers,
``StoreError`` trees from files. A store object is used by one thread at a time, except ``read_data``
and ``write_data``, which may run beside each other on different images.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from app.sync.images.model import Changes, Draft, Image, RegionRef

CHUNK_BYTES = 1024 * 1024
"""Size of the pieces in which image data flows; one size everywhere keeps memory predictable."""


class ImageStore(Protocol):
    """One region's images, seen with one credential."""

    @property
    def region(self) -> str:
        """Full region name."""

    @property
    def project_id(self) -> str:
        """Project that owns what this credential creates; compared with image owners."""

    @property
    def location(self) -> str:
        """Names the federation: two stores of equal location can copy server to server by region name."""

    def list_images(self) -> Iterator[Image]:
        """Every image the credential sees, any status and visibility, oldest first, each once."""

    def get_image(self, image_id: str) -> Image:
        """The image as it is now; ``NotFoundError`` if it vanished."""

    def create_image(self, draft: Draft) -> Image:
        """A new private image without data under the draft's temporary name."""

    def read_data(self, image_id: str, offset_bytes: int = 0) -> AbstractContextManager[Iterator[bytes]]:
        """The content from an offset on, in pieces of at most ``CHUNK_BYTES``.

        The iterator ends early only by raising (``UnreachableError``: the connection broke midway).
        """

    def write_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:
        """Give a queued image its content.

        If ``data`` raises, nothing becomes active and the caller sees the exception of ``data`` itself.
        """

    def update_image(self, image_id: str, changes: Changes) -> Image:
        """Write metadata, only what ``changes`` names; all or nothing where the server allows."""

    def delete_image(self, image_id: str) -> None:
        """Remove the image and its data; a missing image is a ``NotFoundError``."""


@runtime_checkable
class RecordsContent(Protocol):
    """A store without data (backup files): content is only a size and a checksum."""

    def record_content(self, image_id: str, source: Image) -> None:
        """Make the image active with the source's size, checksum and hash."""


@runtime_checkable
class Imports(Protocol):
    """A store whose server can fetch the data itself (Glance interoperable import, spec 14.6)."""

    def import_methods(self) -> frozenset[str]:
        """Methods that the server offers, e.g. ``glance-direct``; empty if none."""

    def stage_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:
        """Put the content into the staging area (first half of glance-direct)."""

    def import_image(self, image_id: str, method: Mapping[str, str], stores: Iterable[str] = ()) -> None:
        """Start an import; ``method`` is the API's object with at least ``name``."""

    def import_failure(self, image_id: str) -> str | None:
        """Why the running or last import failed, in the server's words; None if it did not."""


@runtime_checkable
class ActsOnState(Protocol):
    """A store with Glance's further actions (spec 14.2, 14.8)."""

    def set_members(self, image_id: str, add: Iterable[str], remove: Iterable[str]) -> None:
        """Share the image with projects, or stop sharing it."""

    def deactivate_image(self, image_id: str) -> None:
        """Forbid downloads of the image."""

    def reactivate_image(self, image_id: str) -> None:
        """Allow downloads again."""


class Cloud(Protocol):
    """All regions of all targets that a configuration can reach, of one kind of store."""

    def region_names(self, target: str) -> list[str]:
        """Bare names of the target's regions that hold images, alphabetical."""

    def store(self, region: RegionRef) -> ImageStore:
        """The store of a region, for one thread; ``UnknownRegionError`` if there is none."""
