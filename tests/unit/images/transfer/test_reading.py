"""A source is read to its true end: resumed, counted, hashed."""

import hashlib
from contextlib import contextmanager
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    CancelledError,
    ChecksumMismatchError,
    ForbiddenError,
    RemoteError,
    UnreachableError,
)
from app.sync.images.model import Image
from app.sync.images.transfer import reading


class Flaky:
    """A source that breaks after so many bytes at each opening, like a bad line does."""

    def __init__(self, content: bytes, breaks: list[int], *, silent: bool = False) -> None:
        self.content, self.breaks, self.silent = content, list(breaks), silent
        self.offsets: list[int] = []

    @contextmanager
    def open(self, offset: int):
        self.offsets.append(offset)
        limit = self.breaks.pop(0) if self.breaks else None
        yield self._chunks(offset, limit)

    def _chunks(self, offset: int, limit: int | None):
        end = len(self.content) if limit is None else min(len(self.content), offset + limit)
        for start in range(offset, end, 3):
            yield self.content[start : min(start + 3, end)]
        if limit is not None and not self.silent:
            raise UnreachableError("connection reset")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(reading, "BACKOFF_SECONDS", 0.0)


@given(
    content=st.binary(max_size=60),
    breaks=st.lists(st.integers(1, 20), max_size=5),
    silent=st.booleans(),
)
def test_broken_download_continues_at_the_byte_where_it_broke(content, breaks, silent):
    """Whatever breaks in between, the bytes come out once, in order and complete."""
    source = Flaky(content, breaks, silent=silent)
    stop = Event()
    assert b"".join(reading.resumed(source.open, len(content), 3, stop)) == content
    assert source.offsets == sorted(source.offsets)


def test_download_that_never_moves_is_given_up_after_the_retries():
    """A source that gives no byte any more fails with its own error after the configured retries."""
    source = Flaky(b"abcdef", [3, 0, 0, 0])
    with pytest.raises(UnreachableError):
        list(reading.resumed(source.open, 6, 2, Event()))
    assert source.offsets == [0, 3, 3]


def test_early_end_without_error_is_not_taken_for_the_end():
    """A server that closes early and politely is not believed."""
    source = Flaky(b"abcdef", [3, 0, 0, 0], silent=True)
    with pytest.raises(RemoteError, match="3 of 6 bytes"):
        list(reading.resumed(source.open, 6, 2, Event()))


def test_refusal_is_not_retried():
    """A 403 does not get better by asking again."""
    calls = []

    @contextmanager
    def refuse(offset):
        calls.append(offset)
        raise ForbiddenError("deactivated")
        yield

    with pytest.raises(ForbiddenError):
        list(reading.resumed(refuse, 6, 5, Event()))
    assert calls == [0]


def test_stop_ends_a_download_at_the_next_chunk():
    """A person who stops a run does not wait for the image to end."""
    stop = Event()
    chunks = reading.resumed(Flaky(b"abcdef", []).open, 6, 2, stop)
    assert next(chunks) == b"abc"
    stop.set()
    with pytest.raises(CancelledError):
        next(chunks)


def image_of(
    content: bytes, *, algo: str | None = "sha512", md5: bool = True, size: int | None = None
) -> Image:
    """A record that promises this content."""
    return Image(
        region="R",
        id="1",
        name="n",
        size=len(content) if size is None else size,
        checksum=hashlib.md5(content).hexdigest() if md5 else None,
        hash_algo=algo,
        hash_value=hashlib.new(algo, content).hexdigest() if algo else None,
    )


@pytest.mark.parametrize(
    "promised",
    [
        image_of(b"abcdeX"),
        image_of(b"abcdeX", algo=None),
        image_of(b"abcdef", size=7),
        image_of(b"abcdef", size=5),
        image_of(b"abcdeX", algo="sha256", md5=False),
    ],
    ids=["sha512", "md5", "too short", "too long", "sha256"],
)
def test_wrong_content_never_reaches_its_last_byte(promised):
    """A consumer that announced the size cannot complete a copy whose hash or size is wrong."""
    seen = []
    with pytest.raises(ChecksumMismatchError):
        seen.extend(reading.verified([b"abc", b"def"], promised))
    assert b"".join(seen) == b"abc"


@given(st.lists(st.binary(min_size=1, max_size=9), max_size=6))
def test_right_content_passes_unchanged(chunks):
    """Verified content is exactly the content."""
    content = b"".join(chunks)
    assert b"".join(reading.verified(chunks, image_of(content))) == content


def test_unknown_hash_still_checks_the_size():
    """Without any checksum on the master the size must still agree."""
    blind = Image(region="R", id="1", name="n", size=4)
    with pytest.raises(ChecksumMismatchError, match="3 bytes were read, 4 were promised"):
        list(reading.verified([b"abc"], blind))


def test_backoff_grows_and_is_bounded(monkeypatch):
    """Waiting doubles from failure to failure up to half a minute."""
    monkeypatch.setattr(reading, "BACKOFF_SECONDS", 0.5)
    waits = [reading.backoff_seconds(n) for n in range(1, 12)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(waits) == reading.BACKOFF_CEILING_SECONDS
