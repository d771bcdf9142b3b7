"""SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Interruption:
    """Which signal asked for the end, if one did."""

    number: int | None = None

    @property
    def exit_code(self) -> int | None:
        """128 + signal number, as shells report it; None without a signal."""
        return None if self.number is None else 128 + self.number


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[Interruption]:
    """Set ``stop`` on the first signal; a second one acts as if nobody listened.

    Only the main thread may listen to signals: elsewhere the caller keeps its own handling.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        if interruption.number is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        interruption.number = number
        stop.set()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
