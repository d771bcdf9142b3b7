"""How a process learns that it is to end."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Iterable
from contextlib import suppress
from types import FrameType


class StopFlag:
    """Set once when the process is to end; wakes whoever waits for it.

    Args:
        parent: process id of the supervisor; the flag also counts as set when that is gone.

    """

    def __init__(self, parent: int | None = None) -> None:
        # A lock could be held by the very code that the signal interrupted; a socket cannot.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._parent = parent
        self._set = False

    def set(self) -> None:
        """Ask the process to end. Safe in a signal handler and from any thread."""
        self._set = True
        with suppress(BlockingIOError):
            self._writer.send(b"\0")

    def is_set(self) -> bool:
        """Whether it has been asked, or left without its supervisor."""
        return self._set or (self._parent is not None and os.getppid() != self._parent)

    def wait(self, seconds: float, also: int | None = None) -> None:
        """Sleep until the flag is set, the descriptor ``also`` can be read, or the time is over."""
        if not self.is_set():
            watched = [self._reader.fileno()] if also is None else [self._reader.fileno(), also]
            select.select(watched, [], [], seconds)

    def on(self, signals: Iterable[signal.Signals]) -> None:
        """Set the flag when one of these signals comes (main thread only)."""
        for number in signals:
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.set()
