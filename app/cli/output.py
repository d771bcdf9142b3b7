"""Standard output and standard error, shared by threads, bars and a reader that may go away."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from app.cli.text import one_line
from app.sync.status import Level, Notice

Writer = Callable[[str], None]


def abandon_stdout() -> None:
    """Send what is still written to standard output nowhere: its reader is gone.

    Without it the interpreter would fail once more while it flushes at exit.
    """
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


class Output:
    """Where a command's lines go.

    Args:
        survive: keep working when the reader of standard output is gone. A run that copies images
            is worth more than its lines; a report without a reader is worth nothing and ends with
            ``BrokenPipeError``.
        lines_to_stderr: standard output belongs to a JSON document, so lines go beside it.

    """

    def __init__(self, *, survive: bool = False, lines_to_stderr: bool = False) -> None:
        self._survive = survive
        self._lines_to_stderr = lines_to_stderr
        self._lock = threading.Lock()
        self._gone = False
        self.above_bars: Writer | None = None
        """Set while bars are drawn on the terminal that standard output shares with them."""

    def line(self, text: str) -> None:
        """One line of the report, at once, safe from any thread."""
        safe = one_line(text)
        with self._lock:
            if self.above_bars is not None:
                self.above_bars(safe)
            elif self._lines_to_stderr:
                self._write(sys.stderr, f"{safe}\n")
            else:
                self._report(f"{safe}\n")

    def document(self, text: str) -> None:
        """Ready text for standard output: CSV records or a JSON document, as it is."""
        with self._lock:
            self._report(text)

    def aside(self, notice: Notice) -> None:
        """A line for a person that must not stand in the report: standard error."""
        self.error_line(f"{notice.level}:{notice.message}")

    def warn(self, message: str) -> None:
        """A warning beside the report."""
        self.aside(Notice(Level.WARNING, message))

    def error_line(self, text: str) -> None:
        """One line on standard error."""
        safe = one_line(text)
        with self._lock:
            if self.above_bars is not None:
                self.above_bars(safe)
            else:
                self._write(sys.stderr, f"{safe}\n")

    def _report(self, text: str) -> None:
        if self._gone:
            return
        try:
            self._write(sys.stdout, text)
        except BrokenPipeError:
            if not self._survive:
                raise
            self._gone = True
            abandon_stdout()

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        stream.write(text)
        stream.flush()
