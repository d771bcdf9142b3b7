"""Image data on its way: request bodies made from pieces, pieces read from answers."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import requests
import urllib3

from app.errors import BadAnswerError, ChecksumMismatchError, RemoteError
from app.sync.images.stores.base import CHUNK_BYTES

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_SWALLOWED = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)
"""Errors that the HTTP libraries would take for their own if the data raised them."""


class DataFailedError(Exception):
    """Carries an error of the data source through the HTTP libraries unchanged."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Body:
    """A request body of unknown length: the pieces of the source as they come."""

    def __init__(self, data: Iterable[bytes], size_bytes: int | None = None) -> None:
        self._data = data
        self._size = size_bytes

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        for piece in self._guarded():
            sent += len(piece)
            if self._size is not None and sent > self._size:
                raise _wrong_size(f"more than the promised {self._size} bytes")
            yield piece
        if self._size is not None and sent != self._size:
            raise _wrong_size(f"{sent} bytes instead of the promised {self._size}")

    def _guarded(self) -> Iterator[bytes]:
        try:
            yield from self._data
        except _SWALLOWED as error:
            raise DataFailedError(error) from error


class SizedBody(Body):
    """A request body whose length is known, hence announced in ``Content-Length``."""

    def __init__(self, data: Iterable[bytes], size_bytes: int) -> None:
        super().__init__(data, size_bytes)
        self._length = size_bytes

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        """True also for no bytes at all, or the source would never be asked for them."""
        return True


def _wrong_size(what: str) -> ChecksumMismatchError:
    return ChecksumMismatchError(f"the source gave {what}")


def body_of(data: Iterable[bytes], size_bytes: int | None) -> Body:
    """The request body for image data; a known length lets servers allocate once."""
    return Body(data) if size_bytes is None else SizedBody(data, size_bytes)


def pieces(
    response: requests.Response, offset_bytes: int, failed: Callable[[BaseException], RemoteError]
) -> Iterator[bytes]:
    """The content from ``offset_bytes`` on, in pieces of at most ``CHUNK_BYTES``.

    A server that ignores the range sends everything: what lies before the offset is dropped.

    Args:
        response: an open answer, status 200 or 206.
        offset_bytes: what the request asked for.
        failed: makes an error of ours from a broken connection.

    """
    skip = offset_bytes if response.status_code == requests.codes.ok else 0
    if not skip and offset_bytes:
        _check_range(response.headers.get("Content-Range"), offset_bytes)
    try:
        while piece := response.raw.read(CHUNK_BYTES, decode_content=False):
            if skip:
                piece, skip = piece[skip:], max(0, skip - len(piece))
            if piece:
                yield piece
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise failed(error) from error


def _check_range(value: str | None, offset_bytes: int) -> None:
    match = _CONTENT_RANGE.fullmatch(value or "")
    if not match or int(match[1]) != offset_bytes:
        raise BadAnswerError(f"asked for the data from byte {offset_bytes} on, got {value or 'no range'}")


@contextmanager
def source_errors() -> Iterator[None]:
    """Let the error of a data source out of its carrier: the caller sees it as it was raised."""
    try:
        yield
    except DataFailedError as failed:
        raise failed.error from failed.error.__cause__
