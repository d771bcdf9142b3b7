"""``restore``: metadata set back to a backup (spec images 8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.errors import RemoteError, StoreError, SynclineError, UsageError
from app.sync.images.backups import RestorePlan, apply_restore, load_backup, plan_restore
from app.sync.images.model import Changes, Image, RegionRef
from app.sync.images.service import ImageService, snapshot
from app.sync.images.stores.base import Cloud
from app.sync.status import Level, Notice

FILE_PREFIX = "backup_"
FILE_SUFFIXES = (".csv", ".jsonl")


def regions_of(names: Iterable[str]) -> list[str]:
    """Full region names that a directory of these file names holds backups of, alphabetical."""
    found = {
        name.removeprefix(FILE_PREFIX).removesuffix(suffix)
        for name in names
        for suffix in FILE_SUFFIXES
        if name.startswith(FILE_PREFIX) and name.endswith(suffix)
    }
    return sorted(found)


def backed_up(directory: Path) -> list[str]:
    """Regions that the directory has a backup of.

    Raises:
        UsageError: it cannot be read, or holds none.

    """
    try:
        regions = regions_of(path.name for path in directory.iterdir())
    except OSError as error:
        raise UsageError(f"cannot read the backup: {error.strerror}", where=str(directory)) from error
    if not regions:
        raise UsageError(
            "there is no backup in this directory", where=str(directory), remedy="name one that backup made"
        )
    return regions


class Restorer:
    """Sets regions back one after the other and remembers what each came to."""

    def __init__(self, cloud: Cloud, directory: Path, output: Output, *, dry_run: bool) -> None:
        self._cloud = cloud
        self._directory = directory
        self._output = output
        self._dry_run = dry_run
        self.results: list[forms.Form] = []
        self.complete = True

    def restore(self, region: RegionRef) -> None:
        """Plan one region and, unless this is a dry run, write the plan."""
        done: list[str] = []
        errors: list[forms.Form] = []

        def on_done(image: Image, _changes: Changes) -> None:
            done.append(image.id)
            self._say(Level.INFO, region, image, "would be restored" if self._dry_run else "restored")

        def on_error(image: Image, error: SynclineError) -> None:
            errors.append({"id": image.id} | forms.error_form(error))
            self._output.aside(Notice(Level.ERROR, f"{region.full}: image {image.name}: {error}"))

        lost: list[str] = []
        try:
            store = self._cloud.store(region)
            backup = load_backup(self._directory, region.full)
            plan = plan_restore(backup.images, snapshot(store), backup.scope)
            lost = self._tell_lost(region, plan)
            if self._dry_run:
                for image, changes in plan.updates:
                    on_done(image, changes)
            else:
                apply_restore(plan, store, on_done=on_done, on_error=on_error)
        except (RemoteError, StoreError) as error:
            errors.append({"id": None} | forms.error_form(error))
            self._output.aside(Notice(Level.ERROR, f"{region.full}: {error}"))
        self.complete = self.complete and not errors and not lost
        self.results.append({"region": region.full, "restored": done, "lost": lost, "errors": errors})

    def _tell_lost(self, region: RegionRef, plan: RestorePlan) -> list[str]:
        for image in plan.missing:
            self._say(Level.WARNING, region, image, "is gone; its data is in no backup")
        for image in plan.ambiguous:
            self._say(Level.WARNING, region, image, "cannot be told apart from another one")
        return [image.id for image in (*plan.missing, *plan.ambiguous)]

    def _say(self, level: Level, region: RegionRef, image: Image, what: str) -> None:
        self._output.line(f"{level}:{region.full}: image {image.name} (UUID {image.id}) {what}")


@click.command(short_help="Set metadata back to a backup.")
@click.argument("directory", type=click.Path(path_type=Path))
@regions_argument
@click.option("--dry-run", is_flag=True, help="Tell what would be done and write nothing.")
@image_options
def restore(common: Common, directory: Path, regions: tuple[str, ...], dry_run: bool) -> int:
    """Set the metadata of images back to the backup in DIRECTORY.

    Without REGION every region with a backup there is restored, the master region too. Images that
    are gone are named; their data is in no backup.
    """
    output = Output(lines_to_stderr=common.as_json)
    wanted = regions or tuple(backed_up(directory))
    settings, cloud = open_images(common, output)
    restorer = Restorer(cloud, directory, output, dry_run=dry_run)
    for region in ImageService(settings, cloud).resolve(wanted):
        restorer.restore(region)
    if common.as_json:
        output.document(forms.document("restore", dry_run=dry_run, regions=restorer.results))
    return EXIT_OK if restorer.complete else EXIT_INCOMPLETE
