"""One source, read to its true end: resumed where it breaks, hashed while it flows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from threading import Event

from app.errors import CancelledError, ChecksumMismatchError, RemoteError
from app.sync.images.model import Image

BACKOFF_SECONDS = 0.5
BACKOFF_CEILING_SECONDS = 30.0

OpenAt = Callable[[int], AbstractContextManager[Iterator[bytes]]]
"""Opens the content at a byte offset, as ``ImageStore.read_data`` does."""


def backoff_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row (1, 2, ...)."""
    return float(min(BACKOFF_SECONDS * 2 ** (failures - 1), BACKOFF_CEILING_SECONDS))


def pause(stop: Event, seconds: float) -> None:
    """Wait, but not longer than until somebody asks to stop.

    Raises:
        CancelledError: the stop was asked for.

    """
    if stop.wait(seconds):
        raise CancelledError("stopped on request")


def resumed(open_at: OpenAt, size_bytes: int | None, retries: int, stop: Event) -> Generator[bytes]:
    """The whole content, picked up at the byte where a broken connection left it.

    Args:
        size_bytes: the promised size; an earlier end counts as a broken connection.
        retries: failures in a row without a new byte that are tolerated.

    Raises:
        RemoteError: the last failure, once the retries are used up or where a retry cannot help.
        CancelledError: ``stop`` was set.

    """
    offset, failures = 0, 0
    while True:
        try:
            with open_at(offset) as chunks:
                for chunk in chunks:
                    if stop.is_set():
                        raise CancelledError("stopped on request")
                    offset, failures = offset + len(chunk), 0
                    yield chunk
            if size_bytes is None or offset >= size_bytes:
                return
            error = RemoteError(f"the content ended after {offset} of {size_bytes} bytes")
        except RemoteError as failure:
            if not failure.retryable:
                raise
            if size_bytes is not None and offset >= size_bytes:
                return
            error = failure
        failures += 1
        if failures > retries:
            raise error
        pause(stop, backoff_seconds(failures))


def expected_digest(image: Image) -> tuple[str, str] | None:
    """(hashlib name, hex) to check the content of an image with, None where nothing is known (14.5)."""
    if image.hash_algo and image.hash_value and image.hash_algo in hashlib.algorithms_available:
        return image.hash_algo, image.hash_value
    return ("md5", image.checksum) if image.checksum else None


def verified(chunks: Iterable[bytes], image: Image) -> Iterator[bytes]:
    """The chunks, the last one held back until size and hash are known to be the image's.

    A consumer that announced the size beforehand so never completes a wrong copy.

    Raises:
        ChecksumMismatchError: size or hash differ from the image's.

    """
    expected = expected_digest(image)
    digest = hashlib.new(expected[0], usedforsecurity=False) if expected else None
    held: bytes | None = None
    size = 0
    for chunk in chunks:
        if digest:
            digest.update(chunk)
        size += len(chunk)
        if held is not None:
            yield held
        held = chunk
    _check(image, size, (digest.hexdigest() if digest else None), expected)
    if held is not None:
        yield held


def _check(image: Image, size: int, found: str | None, expected: tuple[str, str] | None) -> None:
    if image.size is not None and size != image.size:
        raise ChecksumMismatchError(
            f"image {image.name}: {size} bytes were read, {image.size} were promised", where=image.region
        )
    if expected and found != expected[1]:
        raise ChecksumMismatchError(
            f"image {image.name}: the bytes read have {expected[0]} {found}, promised was {expected[1]}",
            where=image.region,
        )
