"""One stream of bytes, many readers: read once, sent to several regions at once, memory bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from threading import Condition, Event

from app.errors import CancelledError, SourceError, SynclineError, TransferStalledError

BUFFERED_CHUNKS = 4
WAKE_SECONDS = 0.5


class Branch:
    """One reader's end of a tee: an iterator over the bytes that must be closed by its reader."""

    def __init__(self, region: str, condition: Condition, stop: Event) -> None:
        self.region = region
        self._condition = condition
        self._stop = stop
        self._chunks: deque[bytes] = deque()
        self._ended = False
        self._error: SynclineError | None = None
        self.open = True

    def __iter__(self) -> Iterator[bytes]:
        """The bytes; raises what ended the stream if it did not end well."""
        while (chunk := self._next()) is not None:
            yield chunk

    def _next(self) -> bytes | None:
        with self._condition:
            while not self._chunks and not self._ended:
                if self._stop.is_set():
                    raise CancelledError("stopped on request", where=self.region)
                self._condition.wait(WAKE_SECONDS)
            if self._chunks:
                self._condition.notify_all()
                return self._chunks.popleft()
            if self._error:
                raise self._error
            return None

    def close(self) -> None:
        """The reader wants no more; the others go on."""
        with self._condition:
            self.open = False
            self._chunks.clear()
            self._condition.notify_all()

    @property
    def is_full(self) -> bool:
        """Whether the reader lags by the whole buffer."""
        return len(self._chunks) >= BUFFERED_CHUNKS

    def push(self, chunk: bytes) -> None:
        """Hand over one chunk (the tee holds the lock)."""
        self._chunks.append(chunk)

    def end(self, error: SynclineError | None) -> None:
        """No more will come (the tee holds the lock)."""
        self._ended, self._error = True, error
        if error:
            self._chunks.clear()


class Tee:
    """Pumps one source into all its branches at the pace of the slowest that still moves.

    A branch whose reader takes nothing for ``stall_seconds`` is cut off, so that one hanging region
    never holds up the others.
    """

    def __init__(self, stop: Event, stall_seconds: float) -> None:
        self._condition = Condition()
        self._stop = stop
        self._stall_seconds = stall_seconds
        self.branches: list[Branch] = []

    def branch(self, region: str) -> Branch:
        """A new reader; only before ``pump`` starts."""
        added = Branch(region, self._condition, self._stop)
        self.branches.append(added)
        return added

    def pump(self, open_source: Callable[[], Iterable[bytes]]) -> None:
        """Read the source to its end; never raises, every branch learns how it ended."""
        try:
            for chunk in open_source():
                if not self._share(chunk):
                    return
        except CancelledError as error:
            self._end(error)
        except SynclineError as error:
            self._end(SourceError(f"the source failed: {error.what}", where=error.where, remedy=error.remedy))
        except BaseException as error:
            self._end(SourceError(f"the source failed: {type(error).__name__}"))
            raise
        else:
            self._end(None)

    def abandon(self, error: SynclineError) -> None:
        """End every branch instead of pumping."""
        self._end(error)

    def _share(self, chunk: bytes) -> bool:
        """Give the chunk to every open branch; False when nobody listens any more."""
        with self._condition:
            waited = 0.0
            while any(branch.open and branch.is_full for branch in self.branches):
                if self._condition.wait(WAKE_SECONDS):
                    waited = 0.0
                    continue
                waited += WAKE_SECONDS
                if waited >= self._stall_seconds:
                    self._cut_off_full()
                if self._stop.is_set():
                    raise CancelledError("stopped on request")
            for branch in self.branches:
                if branch.open:
                    branch.push(chunk)
            self._condition.notify_all()
            return any(branch.open for branch in self.branches)

    def _cut_off_full(self) -> None:
        for branch in self.branches:
            if branch.open and branch.is_full:
                branch.end(
                    TransferStalledError(f"took no byte for {self._stall_seconds:.0f} s", where=branch.region)
                )
                branch.open = False

    def _end(self, error: SynclineError | None) -> None:
        with self._condition:
            for branch in self.branches:
                if branch.open:
                    branch.end(error)
            self._condition.notify_all()
