"""Images as plain files: one directory per region, a metadata and a data file per image.

``<root>/<full region name>/<id>.json`` is the image's record (form: ``records``), ``<id>.data`` its content.
Any number of threads and processes may work in a region at once. Metadata changes one at a time under the
region's lock; contents stream in without it and appear whole, before the metadata that declares them
active. What a killed process leaves behind has a name that starts with a dot: no listing shows it, and
the next writer clears it away.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from app.errors import (
    ChecksumMismatchError,
    ConflictError,
    ContentError,
    ForbiddenError,
    InvalidDataError,
    NotFoundError,
    UnknownRegionError,
)
from app.sync.images.conf.model import Settings
from app.sync.images.model import Changes, Draft, Image, RegionRef
from app.sync.images.stores.base import CHUNK_BYTES
from app.sync.images.stores.files import (
    PendingFile,
    directory_lock,
    entries,
    open_directory,
    open_regular,
    opened_directory,
    pending_file,
    read_file,
    replace_file,
    shown,
    store_error,
    store_errors,
    sweep,
)
from app.sync.images.stores.mutations import changed, drafted
from app.sync.images.stores.naming import (
    check_region_name,
    is_image_id,
    is_region_name,
    names_of_target,
    project_of,
)
from app.sync.images.stores.records import RECORD_LIMIT_BYTES, decode_record, encode_record, image_record

HASH_ALGO = "sha512"
METADATA_SUFFIX = ".json"
DATA_SUFFIX = ".data"
DELETED_PREFIX = ".deleted-"


class DirectoryCloud:
    """The regions below one directory."""

    def __init__(self, root: Path, settings: Settings) -> None:
        """Name the directory; it is looked at when a method needs it.

        Args:
            root: directory that holds one sub-directory per region.
            settings: tells the project of each target.

        """
        self._root = root
        self._settings = settings

    def region_names(self, target: str) -> list[str]:
        """Bare names of the target's regions, alphabetical; hidden directories and links are none."""
        project_of(self._settings, target)
        with store_errors(self._root), os.scandir(self._root) as listing:
            names = [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
        return names_of_target(filter(is_region_name, names), target)

    def store(self, region: RegionRef) -> DirectoryStore:
        """The store of a region; ``UnknownRegionError`` if it has no directory or no valid name."""
        project_id = project_of(self._settings, region.target)
        path = self._root / region.full
        with store_errors(path):
            known = is_region_name(region.full) and path.is_dir() and not path.is_symlink()
        if not known:
            raise UnknownRegionError(
                f"unknown region {region.full!r}",
                where=shown(self._root),
                remedy="a region is a directory of that name",
            )
        return DirectoryStore(path, project_id, f"directory:{self._root}")

    def create_region(self, name: str) -> None:
        """Make the region of a full name exist, empty if it is new; ``UsageError`` for a bad name."""
        check_region_name(name)
        path = self._root / name
        with store_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            with opened_directory(path) as directory, directory_lock(directory, exclusive=True):
                os.fsync(directory)
            with opened_directory(self._root, follow_link=True) as root:
                os.fsync(root)


class DirectoryStore:
    """One region's images in one directory."""

    def __init__(self, path: Path, project_id: str, location: str) -> None:
        self._path = path
        self._project_id = project_id
        self._location = location
        self._swept = False

    @property
    def region(self) -> str:
        """Full region name: the name of the directory."""
        return self._path.name

    @property
    def project_id(self) -> str:
        """Owner of the images that this store creates."""
        return self._project_id

    @property
    def location(self) -> str:
        """``directory:`` and the root that holds all regions."""
        return self._location

    def list_images(self) -> Iterator[Image]:
        """Every image, oldest first; ``InvalidDataError`` names the first file that is no metadata."""
        with self._opened() as directory:
            with directory_lock(directory, exclusive=False):
                names = entries(directory)
            found = [self._load(directory, name) for name in names if _is_metadata(name)]
        images = [image for image in found if image is not None]
        yield from sorted(images, key=lambda image: (image.created_at or "", image.id))

    def get_image(self, image_id: str) -> Image:
        """The image as it is now; ``NotFoundError`` if there is none."""
        with self._opened() as directory:
            return self._current(directory, image_id)

    def create_image(self, draft: Draft) -> Image:
        """A new private image under a random id, queued for its content."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        image = drafted(draft, self.region, str(uuid.uuid4()), self._project_id, now)
        with self._writing() as directory:
            self._save(directory, image)
        return image

    @contextmanager
    def read_data(self, image_id: str, offset_bytes: int = 0) -> Iterator[Iterator[bytes]]:
        """The content from an offset on.

        Raises:
            ConflictError: the image has no content yet.
            ForbiddenError: the image is deactivated (spec 14.8).
            ContentError: the offset lies behind the end.
            InvalidDataError: the data file is missing or has not the size that its metadata tells.

        """
        with self._opened() as directory:
            image = self._current(directory, image_id)
            self._check_readable(image)
            path = self._data_path(image_id)
            descriptor = self._open_data(directory, path)
        try:
            size = os.fstat(descriptor).st_size
            if image.size is not None and image.size != size:
                raise InvalidDataError(
                    f"{size} bytes instead of {image.size}", where=shown(path), remedy="copy the file again"
                )
            if offset_bytes > size:
                raise ContentError(f"no byte {offset_bytes} in {size} bytes", where=shown(path))
            yield _pieces(descriptor, path, offset_bytes, size)
        finally:
            os.close(descriptor)

    def write_data(self, image_id: str, data: Iterable[bytes], size_bytes: int | None) -> None:
        """Give a queued image its content, all of it or nothing.

        Raises:
            ConflictError: the image already has content, or got it meanwhile.
            ChecksumMismatchError: ``data`` ended before or after ``size_bytes``.
            StoreFullError: the disk or quota is exhausted.

        """
        path = self._data_path(image_id)
        with self._opened() as directory:
            self._check_queued(self._current(directory, image_id))
            with pending_file(directory, path) as pending:
                content = _Content(pending)
                for piece in data:
                    content.add(piece)
                if size_bytes is not None and content.size != size_bytes:
                    raise ChecksumMismatchError(
                        f"{content.size} bytes arrived instead of {size_bytes}", where=shown(path)
                    )
                pending.flush()
                self._activate(directory, image_id, content)

    def update_image(self, image_id: str, changes: Changes) -> Image:
        """Write metadata; only what ``changes`` names is touched."""
        return self._change(image_id, lambda image: changed(image, changes))

    def delete_image(self, image_id: str) -> None:
        """Remove the image and its data; ``ForbiddenError`` if it is protected."""
        with self._writing() as directory:
            if self._current(directory, image_id).protected:
                raise ForbiddenError(
                    f"image {image_id} is protected", where=self.region, remedy="unset its protection first"
                )
            # From this rename on the image is gone; a crash leaves only work for the next sweep.
            os.rename(
                image_id + METADATA_SUFFIX,
                DELETED_PREFIX + image_id,
                src_dir_fd=directory,
                dst_dir_fd=directory,
            )
            _finish_deletion(directory, image_id)
            os.fsync(directory)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The region's directory. Errors of the block pass through: they are not about the region."""
        try:
            directory = open_directory(self._path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnknownRegionError(f"region {self.region!r} is gone", where=shown(self._path)) from error
        except OSError as error:
            raise store_error(error, self._path) from error
        try:
            yield directory
        finally:
            os.close(directory)

    @contextmanager
    def _writing(self) -> Iterator[int]:
        """The region's directory, locked against other writers and listings."""
        with self._opened() as directory, store_errors(self._path), directory_lock(directory, exclusive=True):
            if not self._swept:
                sweep(directory)
                _finish_deletions(directory)
                self._swept = True
            yield directory

    def _change(self, image_id: str, change: Callable[[Image], Image]) -> Image:
        with self._writing() as directory:
            image = change(self._current(directory, image_id))
            self._save(directory, image)
        return image

    def _activate(self, directory: int, image_id: str, content: _Content) -> None:
        """Declare a complete content the image's own, unless somebody was faster."""
        with store_errors(self._path), directory_lock(directory, exclusive=True):
            image = self._current(directory, image_id)
            self._check_queued(image)
            content.pending.commit()
            self._save(directory, content.described(image))

    def _current(self, directory: int, image_id: str) -> Image:
        image = self._load(directory, image_id + METADATA_SUFFIX) if is_image_id(image_id) else None
        if image is None:
            raise NotFoundError(f"image {image_id!r} does not exist", where=self.region)
        return image

    def _load(self, directory: int, name: str) -> Image | None:
        """The image of a metadata file, None if the file vanished."""
        path = self._path / name
        image_id = name.removesuffix(METADATA_SUFFIX)
        if not is_image_id(image_id):
            raise InvalidDataError(
                "the file name is no image id",
                where=shown(path),
                remedy="use letters, digits, . _ $ -",
            )
        try:
            content = read_file(directory, name, path, RECORD_LIMIT_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_error(error, path) from error
        image = decode_record(content, self.region, shown(path))
        if image.id != image_id:
            raise InvalidDataError(f"the file holds the id {image.id!r}", where=shown(path))
        return image

    def _save(self, directory: int, image: Image) -> None:
        path = self._path / (image.id + METADATA_SUFFIX)
        replace_file(directory, path, encode_record(image_record(image), shown(path)))

    def _data_path(self, image_id: str) -> Path:
        return self._path / (image_id + DATA_SUFFIX)

    def _open_data(self, directory: int, path: Path) -> int:
        try:
            return open_regular(directory, path.name, path)
        except FileNotFoundError as error:
            raise InvalidDataError("the data file is missing", where=shown(path)) from error
        except OSError as error:
            raise store_error(error, path) from error

    def _check_readable(self, image: Image) -> None:
        if image.status == "deactivated":
            raise ForbiddenError(f"image {image.id} is deactivated", where=self.region)
        if not image.is_active:
            raise ConflictError(f"image {image.id} is {image.status}, without content", where=self.region)

    def _check_queued(self, image: Image) -> None:
        if image.status != "queued":
            raise ConflictError(f"image {image.id} is {image.status}, it takes no content", where=self.region)


class _Content:
    """Bytes on their way into a file, measured and hashed as they pass."""

    def __init__(self, pending: PendingFile) -> None:
        self.pending = pending
        self.size = 0
        self._hash = hashlib.sha512()
        self._checksum = hashlib.md5(usedforsecurity=False)

    def add(self, piece: bytes) -> None:
        self.pending.write(piece)
        self.size += len(piece)
        self._hash.update(piece)
        self._checksum.update(piece)

    def described(self, image: Image) -> Image:
        """The image with this content."""
        return replace(
            image,
            status="active",
            size=self.size,
            checksum=self._checksum.hexdigest(),
            hash_algo=HASH_ALGO,
            hash_value=self._hash.hexdigest(),
        )


def _is_metadata(name: str) -> bool:
    return name.endswith(METADATA_SUFFIX) and not name.startswith(".")


def _pieces(descriptor: int, path: Path, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a file between two offsets; ``InvalidDataError`` if it ends before."""
    while start < end:
        with store_errors(path):
            piece = os.pread(descriptor, min(CHUNK_BYTES, end - start), start)
        if not piece:
            raise InvalidDataError("the file was cut while it was read", where=shown(path))
        start += len(piece)
        yield piece


def _finish_deletions(directory: int) -> None:
    """End what deleters began that are gone."""
    for name in entries(directory):
        image_id = name.removeprefix(DELETED_PREFIX)
        if image_id != name and is_image_id(image_id):
            _finish_deletion(directory, image_id)


def _finish_deletion(directory: int, image_id: str) -> None:
    for name in (image_id + DATA_SUFFIX, DELETED_PREFIX + image_id):
        try:
            os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            continue
