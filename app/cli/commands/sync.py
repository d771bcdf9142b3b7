"""``sync``: make regions equal to the master (spec images 5, 7.3, 7.4)."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.labels import labels
from app.cli.lease import Leases, NoLeases, has_service, leases, reserve
from app.cli.listeners import HEADER, RegionLines, RegionLogs, make_log_directory, together
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.cli.progress import live_progress
from app.cli.signals import stop_on_signals
from app.cli.text import notice_line
from app.sync.events import Listener
from app.sync.images.model import RegionRef
from app.sync.images.service import ImageService
from app.sync.status import RegionReport, RegionState


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one run.

    Attributes:
        regions: region arguments as given (spec 7.2).
        names: only these images; None means all that the target selects.
        progress: see ``live_progress``.

    """

    regions: tuple[str, ...] = ()
    parallel: bool = False
    dry_run: bool = False
    names: frozenset[str] | None = None
    progress: bool | None = None


def needs_person(report: RegionReport) -> bool:
    """Whether a region failed in part or whole, or holds an image in an error status (7.8)."""
    return report.state is not RegionState.OK or any(
        outcome.item.status.is_error for outcome in report.outcomes
    )


def exit_code(reports: Iterable[RegionReport]) -> int:
    """Exit code of a run that was not interrupted (7.8)."""
    return EXIT_INCOMPLETE if any(map(needs_person, reports)) else EXIT_OK


@contextmanager
def _reporter(
    output: Output, shown: Mapping[str, str], request: Request, stop: threading.Event
) -> Iterator[Listener]:
    """The listener for the lines of a sequential or a parallel run."""
    if not request.parallel:
        yield RegionLines(output, shown)
        return
    directory = make_log_directory(Path(), datetime.now().astimezone())
    with RegionLogs(output, shown, directory) as logs:
        yield logs
    if not stop.is_set():
        output.line("All is done.")


class _Run:
    """One run with everything that listens to it."""

    def __init__(self, common: Common, request: Request, output: Output) -> None:
        self._request = request
        self._output = output
        self._listeners: list[Listener] = []
        self.stop = threading.Event()
        self.settings, cloud = open_images(common, output)
        self._leases: Leases = NoLeases(self.stop)
        self.service = ImageService(
            self.settings,
            cloud,
            listener=together(self._listeners),
            stop=self.stop,
            region_stop=lambda region: self._leases.stop_of(region),
            leased=not request.dry_run and has_service(os.environ),
        )

    def work(self) -> list[RegionReport]:
        """Resolve the regions, reserve them, then synchronise them while lines and bars tell of it."""
        asked = self.service.resolve(self._request.regions)
        with leases(self.stop, wanted=not self._request.dry_run) as self._leases:
            self._listeners.append(self._leases.listen)
            regions, busy = reserve(self._leases, asked, self._request.names, self._output.warn)
            done = self._synchronise(regions)
        reports = {report.region: report for report in done} | busy
        return [reports[region.full] for region in asked]

    def _synchronise(self, regions: Sequence[RegionRef]) -> list[RegionReport]:
        request, output = self._request, self._output
        output.line(f"{HEADER}Master is {self.settings.master_region}")
        for notice in self.service.catalog().notices:
            output.line(notice_line(notice))
        with (
            _reporter(output, labels(request.regions, regions), request, self.stop) as lines,
            live_progress(output, False if request.dry_run else request.progress) as progress,
        ):
            self._listeners.extend(listener for listener in (lines, progress) if listener is not None)
            return self.service.sync(
                regions, dry_run=request.dry_run, parallel=request.parallel, names=request.names
            )


def run_sync(common: Common, request: Request) -> int:
    """Synchronise and report; the exit code of spec 7.8, or 128 + signal if one asked for the end."""
    output = Output(survive=True, lines_to_stderr=common.as_json)
    run = _Run(common, request, output)
    with stop_on_signals(run.stop) as interruption:
        reports = run.work()
        if common.as_json:
            output.document(
                forms.document(
                    "sync",
                    dry_run=request.dry_run,
                    interrupted=interruption.number is not None,
                    notices=[forms.notice_form(notice) for notice in run.service.catalog().notices],
                    regions=[forms.report_form(report) for report in reports],
                )
            )
    return interruption.exit_code or exit_code(reports)


@click.command(short_help="Make regions equal to the master.")
@regions_argument
@click.option("--parallel", is_flag=True, help="Several regions at once, each with a log file of its own.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done and write nothing.")
@click.option("--image", "names", multiple=True, metavar="NAME", help="Only this image. May be repeated.")
@click.option(
    "--progress/--no-progress",
    default=None,
    help="Bars on a terminal, lines elsewhere. Default: bars if standard error is a terminal.",
)
@image_options
def sync(
    common: Common,
    regions: tuple[str, ...],
    parallel: bool,
    dry_run: bool,
    names: tuple[str, ...],
    progress: bool | None,
) -> int:
    """Make regions equal to the master.

    REGION is NAME or TARGET:NAME; TARGET: means all regions of the target. Without REGION all
    regions of target master are synchronised.

    With --parallel a directory sync_YYYYMMDD_HHMM with one log file per region is made in the
    current directory.
    """
    return run_sync(common, Request(regions, parallel, dry_run, frozenset(names) or None, progress))
