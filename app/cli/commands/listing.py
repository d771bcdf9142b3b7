"""``images list``: what regions hold (spec images 7.9, 8.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.cli.text import csv_rows
from app.errors import RemoteError, StoreError
from app.sync.images.model import Image, RegionRef
from app.sync.images.service import ImageService
from app.sync.images.verbs import comparison_code, ids_of
from app.sync.status import Level, Notice

Code = Callable[[Image], str]


def image_row(image: Image, properties: Sequence[str]) -> list[object]:
    """The first eight columns of a backup, then one column per property, empty where absent (8.1)."""
    values = (image.properties.get(key) for key in properties)
    return [
        image.region,
        image.name or "",
        image.id,
        image.status,
        "" if image.size is None else image.size,
        image.checksum or "",
        image.owner or "",
        image.is_public,
        *("" if value is None else value for value in values),
    ]


def _coder(service: ImageService, region: RegionRef, images: Sequence[Image]) -> Code:
    catalog, policy, ids = service.catalog(), service.settings.targets[region.target].policy, ids_of(images)
    return lambda image: comparison_code(image, catalog, policy, ids)


def run_list(
    common: Common, arguments: tuple[str, ...], *, only_ours: bool, properties: Sequence[str], codes: bool
) -> int:
    """Print the images of the regions; 3 if a region could not be listed."""
    output = Output()
    settings, cloud = open_images(common, output)
    service = ImageService(settings, cloud)
    found: list[forms.Form] = []
    code = EXIT_OK
    for region in service.resolve(arguments):
        try:
            images = service.images(region, only_ours=only_ours)
        except (RemoteError, StoreError) as error:
            output.aside(Notice(Level.ERROR, f"{region.full}: {error}"))
            code = EXIT_INCOMPLETE
            continue
        coder = _coder(service, region, images) if codes else None
        if common.as_json:
            found.extend(_form(image, coder) for image in images)
        else:
            output.document(csv_rows(_row(image, properties, coder) for image in images))
    if common.as_json:
        output.document(forms.document("images list", images=found))
    return code


def _form(image: Image, coder: Code | None) -> forms.Form:
    return forms.image_form(image) | ({"code": coder(image)} if coder else {})


def _row(image: Image, properties: Sequence[str], coder: Code | None) -> list[object]:
    row = image_row(image, properties)
    return [coder(image), *row] if coder else row


@click.command("list", short_help="List the images of regions as CSV.")
@regions_argument
@click.option("--ours", is_flag=True, help="Only images of our own project.")
@click.option("--property", "properties", multiple=True, metavar="NAME", help="Add a column for a property.")
@click.option(
    "--codes",
    is_flag=True,
    help="Put first: + not on master, $ inactive, ! content, - _ public, # properties.",
)
@image_options
def list_images(
    common: Common, regions: tuple[str, ...], ours: bool, properties: tuple[str, ...], codes: bool
) -> int:
    """List the images of regions as CSV.

    Columns: region, name, id, status, size in bytes, checksum, owner, public, then the properties
    asked for. Without REGION the regions of target master are listed.
    """
    return run_list(common, regions, only_ours=ours, properties=properties, codes=codes)
