"""Files on a local disk that nobody sees half-written, whoever writes beside us and whenever we die.

A new content grows in a temporary file of the same directory, reaches the disk and takes its final name
in one rename. The writer of a temporary file holds a lock on it for as long as it lives: a temporary
file that can be locked was left by a dead writer and may go. Names are always resolved against an
opened directory and symbolic links are refused, so no path leads outside.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import InvalidDataError, StoreError, StoreFullError

TEMPORARY_PREFIX = ".tmp-"
LOCK_NAME = ".lock"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def shown(path: Path | str) -> str:
    """A path as text for a message: one line, whatever bytes the file name holds."""
    text = str(path)
    return text if text.isprintable() else repr(text)[1:-1]


def store_error(error: OSError, where: Path) -> StoreError:
    """What an operating system error means to the user of a store."""
    cause = error.strerror or str(error)
    if error.errno in _FULL:
        return StoreFullError(cause, where=shown(where), remedy="free some space or raise the quota")
    if error.errno == errno.ELOOP:
        return InvalidDataError(
            "symbolic links are not followed", where=shown(where), remedy="put the file itself there"
        )
    if error.errno == errno.EFBIG:
        return StoreError(
            cause, where=shown(where), remedy="the file system or a limit forbids such large files"
        )
    if error.errno in _DENIED:
        return StoreError(cause, where=shown(where), remedy="grant this user access")
    return StoreError(cause, where=shown(where))


@contextmanager
def store_errors(where: Path) -> Iterator[None]:
    """Turn operating system errors of the block into ``StoreError`` naming ``where``."""
    try:
        yield
    except OSError as error:
        raise store_error(error, where) from error


def open_directory(path: Path, *, follow_link: bool = False) -> int:
    """Descriptor of a directory, for names relative to it. Plain ``OSError`` if it cannot be opened.

    ``follow_link`` is for directories that a person named; those found inside a store must be real.
    """
    links = 0 if follow_link else os.O_NOFOLLOW
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | links)


@contextmanager
def opened_directory(path: Path, *, follow_link: bool = False) -> Iterator[int]:
    """``open_directory`` that closes at the end of the block."""
    descriptor = open_directory(path, follow_link=follow_link)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(directory: int, name: str, path: Path) -> int:
    """Descriptor of a regular file for reading; ``InvalidDataError`` for a pipe, device or directory.

    Plain ``OSError`` if it cannot be opened, so that callers can tell a missing file.
    """
    descriptor = os.open(name, _READ, dir_fd=directory)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise InvalidDataError("not a regular file", where=shown(path), remedy="remove it from the store")


def read_file(directory: int, name: str, path: Path, limit_bytes: int) -> bytes:
    """Content of a small file; ``InvalidDataError`` above ``limit_bytes``, plain ``OSError`` otherwise."""
    descriptor = open_regular(directory, name, path)
    try:
        content = os.read(descriptor, limit_bytes + 1)
        while len(content) <= limit_bytes and (more := os.read(descriptor, limit_bytes + 1 - len(content))):
            content += more
    finally:
        os.close(descriptor)
    if len(content) > limit_bytes:
        raise InvalidDataError(f"larger than {limit_bytes} bytes", where=shown(path))
    return content


class PendingFile:
    """A file in the making: write, then ``commit`` under a final name, or ``close`` to drop it.

    ``path`` is the final file as messages name it. Every method raises ``StoreError`` only.
    """

    def __init__(self, directory: int, path: Path) -> None:
        self.path = path
        self._directory = directory
        self._flushed = False
        with store_errors(path):
            self._name, self._descriptor = _create_locked(directory)

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        with store_errors(self.path):
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def flush(self) -> None:
        """Bring everything written so far to the disk, which may take long."""
        with store_errors(self.path):
            os.fsync(self._descriptor)
        self._flushed = True

    def commit(self) -> None:
        """Give the file its final name, in place of a file that has it, and make that last."""
        if not self._flushed:
            self.flush()
        with store_errors(self.path):
            self._keep_mode()
            os.rename(self._name, self.path.name, src_dir_fd=self._directory, dst_dir_fd=self._directory)
            self._name = ""
            os.fsync(self._directory)

    def close(self) -> None:
        """Release the file; without ``commit`` nothing of it remains."""
        try:
            if self._name:
                with store_errors(self.path), suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=self._directory)
        finally:
            os.close(self._descriptor)

    def _keep_mode(self) -> None:
        """Leave the permissions of a file that is replaced as its owner set them."""
        try:
            present = os.stat(self.path.name, dir_fd=self._directory, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISREG(present.st_mode):
            os.fchmod(self._descriptor, stat.S_IMODE(present.st_mode))


@contextmanager
def pending_file(directory: int, path: Path) -> Iterator[PendingFile]:
    """A ``PendingFile`` that vanishes at the end of the block unless it was committed."""
    pending = PendingFile(directory, path)
    try:
        yield pending
    finally:
        pending.close()


def replace_file(directory: int, path: Path, content: bytes) -> None:
    """Write a whole small file in one step that survives a crash."""
    with pending_file(directory, path) as pending:
        pending.write(content)
        pending.commit()


def _create_locked(directory: int) -> tuple[str, int]:
    """A new temporary file that this process holds locked."""
    while True:
        name = f"{TEMPORARY_PREFIX}{os.getpid()}-{uuid.uuid4().hex}"
        descriptor = os.open(name, _CREATE, 0o666, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sweeper may have come between the two calls; then the name is gone already.
            if _names(directory, name, descriptor):
                return name, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _names(directory: int, name: str, descriptor: int) -> bool:
    """Whether ``name`` still stands for the opened file."""
    try:
        present = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (present.st_dev, present.st_ino) == (opened.st_dev, opened.st_ino)


def entries(directory: int) -> list[str]:
    """Names of all that a directory holds, in no order. Plain ``OSError`` on failure."""
    return os.listdir(directory)


def sweep(directory: int) -> None:
    """Remove temporary files whose writers are gone. Plain ``OSError`` on failure."""
    for name in entries(directory):
        if name.startswith(TEMPORARY_PREFIX):
            _remove_abandoned(directory, name)


def _remove_abandoned(directory: int, name: str) -> None:
    """Remove one temporary file unless its writer still holds the lock, or it is not ours to touch."""
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            return
        descriptor = os.open(name, _READ, dir_fd=directory)
    except (FileNotFoundError, PermissionError):
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=directory)
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return
    finally:
        os.close(descriptor)


@contextmanager
def directory_lock(directory: int, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock of a directory, alone or shared with readers, across threads and processes.

    A reader of a directory without lock file goes on without: no writer has ever been there. Plain
    ``OSError`` if the lock file cannot be opened.
    """
    mode = os.O_RDWR | os.O_CREAT if exclusive else os.O_RDONLY
    try:
        descriptor = os.open(LOCK_NAME, mode | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=directory)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def lock_file(directory: int, name: str) -> int:
    """Descriptor that holds a file against other writers that replace it under this same lock.

    The lock sits on the file itself, so none is left behind. Who waited for a version that was
    replaced meanwhile starts again with the new one. Closing the descriptor lets go. Plain ``OSError``
    if the file cannot be opened.
    """
    while True:
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _names(directory, name, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
