"""What a run tells while it goes on, as lines and as log files (spec images 7.3, 7.4)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from io import RawIOBase
from pathlib import Path

from app.cli.output import Output
from app.cli.text import file_name, notice_line, one_line
from app.errors import StoreError
from app.sync.events import Event, Listener, Noticed, RegionFinished
from app.sync.status import RegionState

HEADER = "======"


def region_of(event: Event) -> str:
    """Full name of the region that an event is about."""
    return event.report.region if isinstance(event, RegionFinished) else event.region


def together(members: Sequence[Listener]) -> Listener:
    """One listener that hands every event to several, in order; members may still be added."""

    def tell(event: Event) -> None:
        for member in members:
            member(event)

    return tell


class RegionLines:
    """Sequential sync: a header at the first sign of each region, then its lines (7.3)."""

    def __init__(self, output: Output, labels: Mapping[str, str]) -> None:
        self._output = output
        self._unseen = dict(labels)
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Print what the event says."""
        with self._lock:
            label = self._unseen.pop(region_of(event), None)
            if label is not None:
                self._output.line(f"{HEADER}{label}")
            if isinstance(event, Noticed):
                self._output.line(notice_line(event.notice))


def log_directory_name(now: datetime) -> str:
    """``sync_YYYYMMDD_HHMM`` for a local time."""
    return now.strftime("sync_%Y%m%d_%H%M")


def make_log_directory(parent: Path, now: datetime) -> Path:
    """Create the log directory of a parallel run; a counter is added while the name is taken.

    Raises:
        StoreError: the directory cannot be created.

    """
    name = log_directory_name(now)
    number = 0
    while True:
        path = parent / (f"{name}_{number}" if number else name)
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise StoreError(
                f"cannot create the log directory: {error.strerror}",
                where=str(path),
                remedy="run in a directory that can be written",
            ) from error
        else:
            return path


class RegionLogs:
    """Parallel sync: a file of bare messages per region, one line when a region has finished (7.4).

    A context manager: the files are open for as long as it is. A message of a region that is not
    being synchronised (the master's duplicates) goes to the report.
    """

    def __init__(self, output: Output, labels: Mapping[str, str], directory: Path) -> None:
        self._output = output
        self._labels = labels
        self._directory = directory
        self._files: dict[str, RawIOBase] = {}
        self._stack = ExitStack()
        self._lock = threading.Lock()

    def __enter__(self) -> RegionLogs:
        """Create every region's file, so that a region without news has one too."""
        for region, label in self._labels.items():
            path = self._directory / f"{file_name(label)}.txt"
            try:
                self._files[region] = self._stack.enter_context(path.open("ab", buffering=0))
            except OSError as error:
                self._stack.close()
                raise StoreError(f"cannot create a log file: {error.strerror}", where=str(path)) from error
        return self

    def __exit__(self, *_reason: object) -> None:
        """Close the files."""
        self._stack.close()

    def __call__(self, event: Event) -> None:
        """Write what the event says where it belongs."""
        with self._lock:
            if isinstance(event, Noticed):
                self._notice(event)
            elif isinstance(event, RegionFinished):
                region = event.report.region
                ending = "" if event.report.state is RegionState.OK else " with errors"
                self._output.line(f"Region {self._labels.get(region, region)} has finished{ending}")

    def _notice(self, event: Noticed) -> None:
        file = self._files.get(event.region)
        if file is None:
            self._output.line(notice_line(event.notice))
            return
        try:
            file.write(f"{one_line(event.notice.message)}\n".encode())
        except OSError as error:
            del self._files[event.region]
            self._output.warn(f"{event.region}: its log cannot be written: {error.strerror}")
