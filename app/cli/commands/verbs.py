"""``images rename``, ``set-properties`` and ``delete`` (spec images 7.9)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from app.cli import forms
from app.cli.connect import open_images
from app.cli.failures import EXIT_INCOMPLETE, EXIT_OK
from app.cli.options import Common, image_options, regions_argument
from app.cli.output import Output
from app.cli.text import one_line
from app.errors import RemoteError, StoreError, SynclineError, UsageError
from app.sync.images.model import PropertyValue, RegionRef, Snapshot
from app.sync.images.service import ImageService, snapshot
from app.sync.images.verbs import (
    Decision,
    Deed,
    Intent,
    Refusal,
    Selector,
    perform,
    plan_delete,
    plan_follow,
    plan_properties,
    plan_rename,
    rename_reference,
    writable_property,
)
from app.sync.status import Level, Notice

Decide = Callable[[RegionRef, Snapshot], Decision]
ASK = "Delete {name} (UUID {id}) of region {region}? Only y means yes: "


@dataclass(frozen=True, slots=True)
class Manner:
    """How a verb goes to work: print only, or without questions."""

    dry_run: bool = False
    confirmed: bool = True


def confirms(question: str) -> bool:
    """Ask on the terminal; only ``y`` or ``Y`` is yes, and silence is no."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip() in ("y", "Y")


def past_tense(intent: Intent) -> str:
    """What has been done, as the line says it."""
    if intent.deed is Deed.DELETE:
        return "deleted"
    return f"renamed to {intent.changes.name}" if intent.changes.name else "updated"


class Verb:
    """Carries one decision through several regions; a region that fails does not stop the next."""

    def __init__(self, service: ImageService, output: Output, manner: Manner) -> None:
        self._service = service
        self._output = output
        self._manner = manner
        self.results: list[forms.Form] = []
        self.failed = False

    def run(self, regions: Sequence[RegionRef], decide: Decide) -> None:
        """Decide and act in each region, one line each."""
        for region in regions:
            try:
                store = self._service.cloud.store(region)
                decision = decide(region, snapshot(store))
                if isinstance(decision, Refusal):
                    self._refused(decision)
                elif self._allowed(decision):
                    if not self._manner.dry_run:
                        perform(store, decision)
                    self._done(decision)
            except (RemoteError, StoreError) as error:
                self._broke(region, error)

    def _allowed(self, intent: Intent) -> bool:
        if self._manner.confirmed or self._manner.dry_run:
            return True
        name = one_line(intent.image.name or "")
        if confirms(ASK.format(name=name, id=intent.image.id, region=one_line(intent.region))):
            return True
        self._refused(Refusal(intent.region, f"image {name} is kept", harmless=True))
        return False

    def _done(self, intent: Intent) -> None:
        tense = "would be " if self._manner.dry_run else ""
        name = intent.image.name or ""
        what = f"{intent.region}: image {name} (UUID {intent.image.id}) {tense}{past_tense(intent)}"
        self._output.line(f"{Level.INFO}:{what}")
        self.results.append(
            {"region": intent.region, "id": intent.image.id, "name": name, "deed": intent.deed.value}
            | {"done": not self._manner.dry_run, "reason": None}
        )

    def _refused(self, refusal: Refusal) -> None:
        level = Level.INFO if refusal.harmless else Level.WARNING
        self._output.line(f"{level}:{refusal.region}: {refusal.reason}")
        self._nothing(refusal.region, refusal.reason, failed=not refusal.harmless)

    def _broke(self, region: RegionRef, error: SynclineError) -> None:
        self._output.aside(Notice(Level.ERROR, f"{region.full}: {error}"))
        self._nothing(region.full, str(error), failed=True)

    def _nothing(self, region: str, reason: str, *, failed: bool) -> None:
        self.failed = self.failed or failed
        self.results.append(
            {"region": region, "id": None, "name": None, "deed": None, "done": False, "reason": reason}
        )

    def report(self, common: Common, command: str) -> int:
        """The document, if one is wanted, and the exit code: 3 if a region could not be served."""
        if common.as_json:
            self._output.document(forms.document(command, dry_run=self._manner.dry_run, results=self.results))
        return EXIT_INCOMPLETE if self.failed else EXIT_OK


def _open(common: Common, manner: Manner) -> tuple[ImageService, Verb]:
    output = Output(lines_to_stderr=common.as_json)
    settings, cloud = open_images(common, output)
    service = ImageService(settings, cloud)
    return service, Verb(service, output, manner)


def _selector(name: str | None, image_id: str | None) -> Selector:
    if bool(name) == bool(image_id):
        raise UsageError("name one image, either by --name or by --id")
    return Selector(name or "", image_id or "")


def _pairs(texts: Sequence[str]) -> dict[str, PropertyValue]:
    pairs: dict[str, PropertyValue] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not writable_property(key):
            raise UsageError(
                f"{text!r} cannot be set", remedy="use --set KEY=VALUE; references follow the master"
            )
        pairs[key] = value
    return pairs


_DRY_RUN = click.option("--dry-run", is_flag=True, help="Tell what would be done and write nothing.")
_NAME = click.option("--name", metavar="NAME", help="The image, by name.")
_ID = click.option("--id", "image_id", metavar="UUID", help="The image, by id.")
_REGIONS = click.argument("regions", nargs=-1, required=True, metavar="REGION...")


@click.command(short_help="Rename an image on the master and everywhere.")
@click.argument("old")
@click.argument("new")
@regions_argument
@click.option("--property", "property_name", metavar="NAME", help="A property that follows the master too.")
@_DRY_RUN
@image_options
def rename(
    common: Common, old: str, new: str, regions: tuple[str, ...], property_name: str | None, dry_run: bool
) -> int:
    """Rename the image OLD to NEW on the master and in the regions.

    In each region the one image OLD with the content of the master's is renamed, and its visibility
    follows the master's. Without REGION: the master region and all regions of target master.
    """
    service, verb = _open(common, Manner(dry_run))
    reference = rename_reference(service.catalog(), old, new)
    wanted = service.resolve(regions)
    master = RegionRef("master", service.settings.master_region)
    if not regions and reference.name == old:
        wanted = [master, *wanted]

    verb.run(wanted, lambda _region, seen: plan_rename(seen, reference, old, new, property_name))
    return verb.report(common, "images rename")


@click.command("set-properties", short_help="Set, remove or copy properties of an image.")
@_REGIONS
@_NAME
@_ID
@click.option("--set", "values", multiple=True, metavar="K=V", help="Set a property. May be repeated.")
@click.option("--remove", multiple=True, metavar="K", help="Remove a property. May be repeated.")
@click.option("--from-master", is_flag=True, help="Copy all metadata of the master's image instead.")
@_DRY_RUN
@image_options
def set_properties(
    common: Common,
    regions: tuple[str, ...],
    name: str | None,
    image_id: str | None,
    values: tuple[str, ...],
    remove: tuple[str, ...],
    from_master: bool,
    dry_run: bool,
) -> int:
    """Set or remove properties of one image in the regions named.

    With --from-master the image gets all metadata of the master's image of its name, whatever
    metadata_set says.
    """
    selector = _selector(name, image_id)
    if from_master == bool(values or remove):
        raise UsageError("say what to change: --set and --remove, or --from-master")
    pairs, gone = _pairs(values), frozenset(remove)
    service, verb = _open(common, Manner(dry_run))

    def decide(region: RegionRef, seen: Snapshot) -> Decision:
        if not from_master:
            return plan_properties(seen, selector, pairs, gone)
        return plan_follow(seen, selector, service.catalog(), service.settings.targets[region.target].policy)

    verb.run(service.resolve(regions), decide)
    return verb.report(common, "images set-properties")


@click.command(short_help="Delete an image of given regions.")
@_REGIONS
@_NAME
@_ID
@click.option("--yes", is_flag=True, envvar="SYNCLINE_YES", help="Do not ask (or set SYNCLINE_YES=1).")
@_DRY_RUN
@image_options
def delete(
    common: Common,
    regions: tuple[str, ...],
    name: str | None,
    image_id: str | None,
    yes: bool,
    dry_run: bool,
) -> int:
    """Delete one image of each region named, after asking for each.

    Only y or Y confirms. Images of other projects are never deleted.
    """
    selector = _selector(name, image_id)
    service, verb = _open(common, Manner(dry_run, confirmed=yes))
    verb.run(service.resolve(regions), lambda _region, seen: plan_delete(seen, selector))
    return verb.report(common, "images delete")
