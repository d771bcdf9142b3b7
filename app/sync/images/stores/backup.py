"""Folders of backup files: read and written as such, and as a cloud whose images have no content.

``backup_<full region name>.csv`` is a region in nine columns (``csvformat``), of which the cloud lists and
changes images in place. ``backup_<full region name>.jsonl`` holds one object a line (``records``) with
everything that was known of an image; it is there to restore from. Every write replaces the whole file
in one step, under a lock on the file that other writers respect.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from app.errors import InvalidDataError, NotFoundError, StoreError, UnknownRegionError
from app.sync.images.conf.model import Settings
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.csvformat import format_row, parse_rows, storable
from app.sync.images.stores.files import (
    lock_file,
    opened_directory,
    pending_file,
    read_file,
    shown,
    store_errors,
    sweep,
)
from app.sync.images.stores.mutations import changed, drafted
from app.sync.images.stores.naming import is_region_name, names_of_target, project_of
from app.sync.images.stores.records import RECORD_LIMIT_BYTES, backup_record, decode_record, encode_record

PREFIX = "backup_"
CSV_SUFFIX = ".csv"
JSON_SUFFIX = ".jsonl"
FILE_LIMIT_BYTES = 256 * 1024 * 1024
"""Largest backup file that is read: about a million images."""


def csv_path(directory: Path, region: str) -> Path:
    """Where the nine-column backup of a region is."""
    return directory / f"{PREFIX}{region}{CSV_SUFFIX}"


def json_path(directory: Path, region: str) -> Path:
    """Where the JSON-lines backup of a region is."""
    return directory / f"{PREFIX}{region}{JSON_SUFFIX}"


def read_backup(path: Path, region: str) -> list[Image]:
    """Images of a nine-column backup in row order (spec 8.1).

    Raises:
        InvalidDataError: a row breaks the format; names file, line and column.
        StoreError: the file cannot be read, ``UnknownRegionError`` if there is none.

    """
    with _folder(path) as directory:
        return _read_rows(directory, path, region)


def write_backup(path: Path, images: Iterable[Image]) -> None:
    """Write a whole nine-column backup; ``InvalidDataError`` names an image that has no CSV form."""
    with _folder(path) as directory:
        _write_rows(directory, path, images)


def read_json_backup(path: Path, region: str) -> list[Image]:
    """Images of a JSON-lines backup in line order, each with every field; errors as ``read_backup``."""
    with _folder(path) as directory:
        content = _content(directory, path, region)
    images = []
    seen: set[str] = set()
    for number, line in enumerate(content.split(b"\n"), start=1):
        where = f"{shown(path)}, line {number}"
        if not line.strip():
            continue
        if len(line) > RECORD_LIMIT_BYTES:
            raise InvalidDataError(f"longer than {RECORD_LIMIT_BYTES} bytes", where=where)
        image = decode_record(line, region, where)
        if image.id in seen:
            raise InvalidDataError(f"the id {image.id!r} again", where=where)
        seen.add(image.id)
        images.append(image)
    return images


def json_line(image: Image, where: str) -> bytes:
    """One line of a JSON-lines backup; ``InvalidDataError`` if the image has no JSON form."""
    return encode_record(backup_record(image), f"{where}, image {image.id!r}") + b"\n"


class BackupCloud:
    """The regions whose nine-column backups lie in one folder, changed in place (spec 8.2, 8.3)."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        """Name the folder; it is looked at when a method needs it.

        Args:
            directory: folder of ``backup_<full region name>.csv`` files; other files are left alone.
            settings: tells the project of each target.

        """
        self._directory = directory
        self._settings = settings

    def region_names(self, target: str) -> list[str]:
        """Bare names of the target's regions, alphabetical."""
        project_of(self._settings, target)
        with store_errors(self._directory):
            files = [path.name for path in self._directory.iterdir()]
        backups = (name for name in files if name.startswith(PREFIX) and name.endswith(CSV_SUFFIX))
        regions = (name.removeprefix(PREFIX).removesuffix(CSV_SUFFIX) for name in backups)
        return names_of_target(filter(is_region_name, regions), target)

    def store(self, region: RegionRef) -> BackupStore:
        """The store of a region; ``UnknownRegionError`` if it has no file."""
        project_id = project_of(self._settings, region.target)
        path = csv_path(self._directory, region.full)
        with store_errors(path):
            known = is_region_name(region.full) and os.path.lexists(path)
        if not known:
            raise _unknown(region.full, path)
        return BackupStore(path, region.full, project_id)


class BackupStore:
    """One region's rows. An image is its nine columns; content is only a size and a checksum.

    Hidden, protected, tags and minimum values have no column: changes of them are not kept.
    """

    def __init__(self, path: Path, region: str, project_id: str) -> None:
        self._path = path
        self._region = region
        self._project_id = project_id

    @property
    def region(self) -> str:
        """Full region name, from the file name."""
        return self._region

    @property
    def project_id(self) -> str:
        """Owner of the images that this store creates."""
        return self._project_id

    @property
    def location(self) -> str:
        """``backup:`` and the folder that holds all regions."""
        return f"backup:{self._path.parent}"

    def list_images(self) -> Iterator[Image]:
        """Every image in row order."""
        yield from read_backup(self._path, self._region)

    def get_image(self, image_id: str) -> Image:
        """The image as it is now; ``NotFoundError`` if there is no such row."""
        images = read_backup(self._path, self._region)
        return images[self._position(images, image_id)]

    def create_image(self, draft: Draft) -> Image:
        """A new last row, queued, with the id ``<n>$<final name>``: the first n that is free."""
        with self._rewriting() as images:
            taken = {image.id for image in images}
            number = 1
            while (image_id := f"{number}${draft.name}") in taken:
                number += 1
            image = storable(drafted(draft, self._region, image_id, self._project_id))
            images.append(image)
        return image

    def read_data(self, image_id: str, offset_bytes: int = 0) -> AbstractContextManager[Iterator[bytes]]:  # noqa: ARG002
        """Backups hold no content: always a ``StoreError``."""
        raise self._no_data(image_id)

    def write_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:  # noqa: ARG002
        """Backups take no content: always a ``StoreError``; see ``record_content``."""
        raise self._no_data(image_id)

    def record_content(self, image_id: str, source: Image) -> None:
        """Make the image active with the source's size and checksum; no column keeps another hash."""
        self._change(
            image_id,
            lambda image: replace(image, status="active", size=source.size, checksum=source.checksum),
        )

    def update_image(self, image_id: str, changes: Changes) -> Image:
        """Write name, visibility (public or private) and properties, as far as ``changes`` names them."""
        return self._change(image_id, lambda image: changed(image, changes))

    def delete_image(self, image_id: str) -> None:
        """Remove the row."""
        with self._rewriting() as images:
            del images[self._position(images, image_id)]

    def _change(self, image_id: str, change: Callable[[Image], Image]) -> Image:
        with self._rewriting() as images:
            position = self._position(images, image_id)
            images[position] = storable(change(images[position]))
        return images[position]

    @contextmanager
    def _rewriting(self) -> Iterator[list[Image]]:
        """The present rows, read under the lock; what the block makes of them replaces the file."""
        with _folder(self._path) as directory, _locked(directory, self._path, self._region):
            sweep(directory)
            images = _read_rows(directory, self._path, self._region)
            yield images
            _write_rows(directory, self._path, images)

    def _position(self, images: list[Image], image_id: str) -> int:
        for position, image in enumerate(images):
            if image.id == image_id:
                return position
        raise NotFoundError(f"image {image_id!r} does not exist", where=self._region)

    def _no_data(self, image_id: str) -> StoreError:
        return StoreError(
            f"a backup holds no content, also none of image {image_id!r}",
            where=shown(self._path),
            remedy="name the cloud or directory that has the data",
        )


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    """The directory of a backup file; what goes wrong in the block is told with the file's name."""
    with store_errors(path), opened_directory(path.parent, follow_link=True) as directory:
        yield directory


@contextmanager
def _locked(directory: int, path: Path, region: str) -> Iterator[None]:
    try:
        descriptor = lock_file(directory, path.name)
    except FileNotFoundError as error:
        raise _unknown(region, path) from error
    try:
        yield
    finally:
        os.close(descriptor)


def _content(directory: int, path: Path, region: str) -> bytes:
    try:
        return read_file(directory, path.name, path, FILE_LIMIT_BYTES)
    except FileNotFoundError as error:
        raise _unknown(region, path) from error


def _read_rows(directory: int, path: Path, region: str) -> list[Image]:
    return parse_rows(_content(directory, path, region), region, shown(path))


def _write_rows(directory: int, path: Path, images: Iterable[Image]) -> None:
    with pending_file(directory, path) as pending:
        for image in images:
            pending.write(format_row(image, shown(path)))
        pending.commit()


def _unknown(region: str, path: Path) -> UnknownRegionError:
    return UnknownRegionError(
        f"unknown region {region!r}", where=shown(path.parent), remedy=f"it needs the file {shown(path.name)}"
    )
