"""``regions``: which regions can be named (spec images 7.6)."""

from __future__ import annotations

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.sync.images.service import ImageService


def run_regions(
    common: Common, arguments: tuple[str, ...], *, everything: bool = False, with_master: bool = False
) -> int:
    """Print region names on one line.

    Args:
        everything: all destinations of all targets; the arguments are only checked (7.6).
        with_master: put the master region first.

    """
    output = Output()
    settings, cloud = open_images(common, output)
    service = ImageService(settings, cloud)
    named = [region.full for region in service.resolve(arguments)] if arguments else []
    names = named if arguments and not everything else service.show_regions()
    if with_master:
        names = [settings.master_region, *(name for name in names if name != settings.master_region)]
    if common.as_json:
        output.document(forms.document("regions", master=settings.master_region, regions=names))
    else:
        output.line(" ".join(names))
    return EXIT_OK


@click.command(short_help="List the regions that can be named.")
@regions_argument
@click.option("--with-master", is_flag=True, help="Put the master region first.")
@image_options
def regions(common: Common, regions: tuple[str, ...], with_master: bool) -> int:
    """List the regions that can be named, blank separated.

    Without REGION: the destinations of target master, then those of every other target.
    With REGION (NAME, TARGET:NAME or TARGET:): what the arguments come to, in order of work.
    """
    return run_regions(common, regions, with_master=with_master)
