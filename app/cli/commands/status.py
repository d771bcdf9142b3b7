"""``status``: what differs in each region (spec images 7.5)."""

from __future__ import annotations

from collections.abc import Iterator

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.cli.text import csv_rows
from app.errors import SynclineError
from app.sync.images.plan import RegionPlan
from app.sync.images.service import ImageService
from app.sync.status import Level, Notice

Answer = RegionPlan | SynclineError


def region_csv(region: str, plan: RegionPlan) -> str:
    """Records ``status,region,image`` and the empty line that ends a region."""
    rows = ((planned.item.status.value, region, planned.item.name) for planned in plan.images)
    return csv_rows(rows) + "\n"


class _Report:
    """The report while it is made; regions are printed as they come, or kept where they must be."""

    def __init__(self, service: ImageService, output: Output) -> None:
        self._service = service
        self._output = output
        self.failed = False

    def answers(self, arguments: tuple[str, ...]) -> Iterator[tuple[str, Answer]]:
        """Every region's plan or failure as soon as it is known; lines for a person go aside."""
        regions = self._service.resolve(arguments)
        for notice in self._service.catalog().notices:
            self._output.aside(notice)
        for region, answer in self._service.statuses(regions):
            if isinstance(answer, SynclineError):
                self.failed = True
                self._output.aside(Notice(Level.ERROR, f"{region.full}: {answer}"))
            else:
                for notice in answer.notices:
                    self._output.aside(notice)
            yield region.full, answer

    def csv(self, arguments: tuple[str, ...]) -> None:
        """Print each region at once."""
        for region, answer in self.answers(arguments):
            if isinstance(answer, RegionPlan):
                self._output.document(region_csv(region, answer))

    def json(self, arguments: tuple[str, ...]) -> None:
        """Print one document with all regions."""
        regions = [forms.plan_form(*answer) for answer in self.answers(arguments)]
        notices = [forms.notice_form(notice) for notice in self._service.catalog().notices]
        self._output.document(forms.document("status", notices=notices, regions=regions))

    def table(self, arguments: tuple[str, ...]) -> None:
        """Print one table over all regions."""
        from app.cli.table import render

        render(list(self.answers(arguments)))


def run_status(common: Common, arguments: tuple[str, ...], *, as_table: bool = False) -> int:
    """Print the report; 3 if a region could not be told."""
    output = Output()
    settings, cloud = open_images(common, output)
    report = _Report(ImageService(settings, cloud), output)
    if common.as_json:
        report.json(arguments)
    elif as_table:
        report.table(arguments)
    else:
        report.csv(arguments)
    return EXIT_INCOMPLETE if report.failed else EXIT_OK


@click.command(short_help="Show what differs, without changing anything.")
@regions_argument
@click.option("--table", "as_table", is_flag=True, help="A table for people instead of CSV.")
@image_options
def status(common: Common, regions: tuple[str, ...], as_table: bool) -> int:
    """Show what differs, without changing anything.

    Prints CSV records status,region,image and an empty line after each region. Warnings go to
    standard error.
    """
    return run_status(common, regions, as_table=as_table)
