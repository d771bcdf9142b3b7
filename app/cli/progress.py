"""Live progress on standard error: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from app.cli.output import Output
from app.cli.tally import Tally
from app.cli.text import one_line
from app.sync.events import Event, ItemFinished, Listener, RegionStarted
from app.sync.images.messages import megabytes

LABEL_WIDTH = 40


def _label(region: str, name: str) -> str:
    text = one_line(f"{region}: {name}")
    return text if len(text) <= LABEL_WIDTH else f"{text[: LABEL_WIDTH - 1]}…"


class Bars:
    """One bar per image under way and one for the whole run: bytes, rate, time that remains."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tally = Tally()
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._total = progress.add_task("total", total=None)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Move the bars to where the event says."""
        with self._lock:
            self._tally.feed(event)
            self._drop_settled()
            for key, transfer in self._tally.under_way.items():
                if key not in self._tasks:
                    label = _label(transfer.region, transfer.name)
                    self._tasks[key] = self._progress.add_task(label, total=transfer.total_bytes or None)
                self._progress.update(self._tasks[key], completed=transfer.sent_bytes)
            self._progress.update(
                self._total, completed=self._tally.moved_bytes, total=self._tally.total_bytes
            )

    def _drop_settled(self) -> None:
        for key in self._tasks.keys() - self._tally.under_way.keys():
            self._progress.remove_task(self._tasks.pop(key))


class PlainProgress:
    """A line when a region's plan is known and a line per image settled."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._tally = Tally()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write a line if the event is worth one."""
        with self._lock:
            self._tally.feed(event)
            if isinstance(event, RegionStarted):
                self._say(f"{event.region}: {event.items} images, {self._size(event.pending_bytes)} to bring")
            elif isinstance(event, ItemFinished) and event.outcome.before.needs_content:
                outcome = event.outcome
                size = self._size(outcome.item.size_bytes)
                self._say(f"{event.region}: {outcome.item.name}, {size}: {outcome.result.value}")

    @staticmethod
    def _size(size_bytes: int | None) -> str:
        return f"{float(megabytes(size_bytes)):.1f} MB"

    def _say(self, text: str) -> None:
        self._write(f"[{self._tally.percent:3d} %] {text}")


def bars_console() -> Console:
    """Standard error as Rich sees it, without its own colours in names and numbers."""
    return Console(stderr=True, highlight=False)


@contextmanager
def _bars(output: Output) -> Iterator[Listener]:
    console = bars_console()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, redirect_stdout=False, redirect_stderr=False) as progress:
        if sys.stdout.isatty():
            output.above_bars = lambda text: console.print(Text(text), soft_wrap=True)
        try:
            yield Bars(progress)
        finally:
            output.above_bars = None


@contextmanager
def live_progress(output: Output, wanted: bool | None) -> Iterator[Listener | None]:
    """A listener that shows progress, or None.

    Args:
        wanted: None shows bars if standard error is a terminal and nothing otherwise; True asks
            for lines where bars cannot be drawn; False shows nothing.

    """
    if wanted is False or (wanted is None and not sys.stderr.isatty()):
        yield None
    elif sys.stderr.isatty():
        with _bars(output) as listener:
            yield listener
    else:
        yield PlainProgress(output.error_line)
