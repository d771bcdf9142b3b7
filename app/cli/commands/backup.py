"""``backup``: the metadata of regions as files (spec images 7.7, 8.1)."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.errors import SynclineError
from app.sync.images.backups import backup_directory_name, backup_regions
from app.sync.images.model import RegionRef
from app.sync.images.service import ImageService
from app.sync.status import Level, Notice


class Progress:
    """What a backup tells: a line per region, errors beside."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.done: list[str] = []
        self.errors: list[forms.Form] = []

    def on_done(self, region: str) -> None:
        """A region's files are complete."""
        self.done.append(region)
        self._output.line(f"{Level.INFO}:Backup of region {region}")

    def on_error(self, region: str, error: SynclineError) -> None:
        """A region, or one image of it, is not in the backup."""
        self.errors.append({"region": region} | forms.error_form(error))
        self._output.aside(Notice(Level.ERROR, f"{region}: {error}"))


def run_backup(
    common: Common, arguments: tuple[str, ...], *, directory: Path | None = None, with_master: bool = True
) -> int:
    """Back up the regions, and the master region unless told otherwise; 3 if one could not be."""
    output = Output(lines_to_stderr=common.as_json)
    settings, cloud = open_images(common, output)
    regions = ImageService(settings, cloud).resolve(arguments)
    if with_master:
        regions = [*regions, RegionRef("master", settings.master_region)]
    place = directory or Path(backup_directory_name(datetime.now().astimezone()))
    stores = {region.full: partial(cloud.store, region) for region in regions}
    progress = Progress(output)
    backup_regions(stores.items(), place, on_done=progress.on_done, on_error=progress.on_error)
    if common.as_json:
        output.document(
            forms.document("backup", directory=str(place), regions=progress.done, errors=progress.errors)
        )
    return EXIT_INCOMPLETE if progress.errors else EXIT_OK


@click.command(short_help="Save the metadata of regions to files.")
@regions_argument
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the files go. Default: a new backup_glance_<time> in the current directory.",
)
@click.option("--without-master", is_flag=True, help="Only the regions named, not the master region too.")
@image_options
def backup(common: Common, regions: tuple[str, ...], directory: Path | None, without_master: bool) -> int:
    """Save the metadata of regions, and of the master region, to files.

    Per region one CSV file and one file with the complete records as JSON lines. Image data is not
    part of a backup.
    """
    return run_backup(common, regions, directory=directory, with_master=not without_master)
