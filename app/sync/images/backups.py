"""Save the metadata of regions to files, and set it back from there (spec images 7.7, 8.1).

A backup holds no image data, so a restore changes what is still there and reports what is not. Planning
is pure: a dry run is ``plan_restore`` without ``apply_restore``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from app.errors import AuthenticationError, StoreError, SynclineError, UnreachableError
from app.sync.images.compare import Verdict, content_matches
from app.sync.images.model import REFERENCE_KEYS, Changes, Image, PropertyValue, Snapshot, is_foreign
from app.sync.images.properties import BASE_ATTRIBUTES
from app.sync.images.provenance import PREFIX, is_partial
from app.sync.images.stores.backup import (
    csv_path,
    json_line,
    json_path,
    read_backup,
    read_json_backup,
)
from app.sync.images.stores.base import ImageStore
from app.sync.images.stores.csvformat import format_row
from app.sync.images.stores.files import opened_directory, pending_file, shown, store_errors
from app.sync.images.stores.naming import check_region_name

RESERVED_PREFIXES = (PREFIX, "os_glance_", "os_hash_")
_Value = TypeVar("_Value")
RegionDone = Callable[[str], None]
RegionFailed = Callable[[str, SynclineError], None]


class Scope(StrEnum):
    """How much of an image a backup file tells."""

    FULL = "full"
    """Every attribute: JSON lines."""
    BASIC = "basic"
    """Name, public or not, and properties: nine columns."""


@dataclass(frozen=True, slots=True)
class Backup:
    """One region's backup as read from ``path``."""

    path: Path
    region: str
    scope: Scope
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What setting one region back to a backup comes to.

    Attributes:
        updates: images that differ, as they are now, with the write that sets them back.
        missing: images of the backup that are gone; their data is in no backup.
        ambiguous: images of the backup that several present images could be; nothing is written.

    """

    region: str
    updates: tuple[tuple[Image, Changes], ...]
    missing: tuple[Image, ...] = ()
    ambiguous: tuple[Image, ...] = ()


def backup_directory_name(moment: datetime) -> str:
    """Name of the directory of a backup made at a local time (spec 7.7), always with microseconds."""
    return f"backup_glance_{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}"


def backup_regions(
    stores: Iterable[tuple[str, Callable[[], ImageStore]]],
    directory: Path,
    *,
    on_done: RegionDone,
    on_error: RegionFailed,
) -> None:
    """Write both backup files of every region; a region that fails leaves none and stops no other.

    Args:
        stores: full region name and how to open its store; opening may fail, too.
        directory: where the files go; created if it is missing.
        on_done: told each region whose files are complete.
        on_error: told why a region has no files, or which image had to be left out of one of them.

    Raises:
        StoreError: the directory cannot be made.

    """
    with store_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
    for region, open_store in stores:
        try:
            check_region_name(region)
            _backup_region(region, open_store(), directory, on_error)
        except SynclineError as error:
            on_error(region, error)
        else:
            on_done(region)


def _backup_region(region: str, store: ImageStore, directory: Path, on_error: RegionFailed) -> None:
    """Stream one listing into both files; they take their names only when it is complete."""
    table, lines = csv_path(directory, region), json_path(directory, region)
    with (
        store_errors(directory),
        opened_directory(directory, follow_link=True) as opened,
        pending_file(opened, table) as rows,
        pending_file(opened, lines) as records,
    ):
        for image in store.list_images():
            for file, form in ((rows, format_row), (records, json_line)):
                try:
                    line = form(image, shown(file.path))
                except StoreError as error:
                    on_error(region, error)
                else:
                    file.write(line)
        records.commit()
        rows.commit()


def load_backup(directory: Path, region: str) -> Backup:
    """The backup of a region, JSON lines if there are any, else nine columns.

    Raises:
        UsageError: the region name is no file name.
        UnknownRegionError: the directory has no backup of the region.
        InvalidDataError: the file breaks its format.

    """
    check_region_name(region)
    lines, table = json_path(directory, region), csv_path(directory, region)
    with store_errors(lines):
        complete = lines.exists()
    if complete:
        return Backup(lines, region, Scope.FULL, tuple(read_json_backup(lines, region)))
    return Backup(table, region, Scope.BASIC, tuple(read_backup(table, region)))


def plan_restore(records: Sequence[Image], snapshot: Snapshot, scope: Scope = Scope.FULL) -> RestorePlan:
    """What has to be written so that present images are again as the backup says. Pure.

    An image is found by its id, else by name and content if exactly one present image has both. Images
    of other projects, and images that were in the making, are left alone. A kernel or ramdisk reference
    is set back only to an image that exists.
    """
    wanted = [r for r in records if not is_foreign(r.owner, snapshot.project_id) and not is_partial(r)]
    found, missing, ambiguous = _matches(wanted, snapshot)
    ids = {image.id: image.id for image in snapshot.images} | {record.id: image.id for record, image in found}
    planned = ((image, _restoring_changes(record, image, scope, ids)) for record, image in found)
    updates = tuple((image, changes) for image, changes in planned if changes)
    return RestorePlan(snapshot.region, updates, tuple(missing), tuple(ambiguous))


def apply_restore(
    plan: RestorePlan,
    store: ImageStore,
    *,
    on_done: Callable[[Image, Changes], None],
    on_error: Callable[[Image, SynclineError], None],
) -> None:
    """Write a restore plan, one image at a time; a refused image stops no other.

    Raises:
        UnreachableError, AuthenticationError: the region as a whole cannot be written any more.

    """
    for image, changes in plan.updates:
        try:
            store.update_image(image.id, changes)
        except (UnreachableError, AuthenticationError):
            raise
        except SynclineError as error:
            on_error(image, error)
        else:
            on_done(image, changes)


def _matches(
    records: Sequence[Image], snapshot: Snapshot
) -> tuple[list[tuple[Image, Image]], list[Image], list[Image]]:
    """Pairs of record and present image, records without image, records that cannot be told apart."""
    ours = [i for i in snapshot.images if not is_foreign(i.owner, snapshot.project_id) and not is_partial(i)]
    pairs = _pairs_by_id(records, ours)
    done = {record.id for record, _ in pairs}
    taken = {image.id for _, image in pairs}
    by_name: dict[str | None, list[Image]] = {}
    for image in ours:
        if image.id not in taken:
            by_name.setdefault(image.name, []).append(image)
    candidates = [(r, _alike(r, by_name.get(r.name, ()))) for r in records if r.id not in done]
    claims = Counter(image.id for _, images in candidates for image in images)
    unique = [(r, i[0]) for r, i in candidates if len(i) == 1 and claims[i[0].id] == 1]
    certain = {record.id for record, _ in unique}
    missing = [record for record, images in candidates if not images]
    ambiguous = [record for record, images in candidates if images and record.id not in certain]
    return [*pairs, *unique], missing, ambiguous


def _pairs_by_id(records: Sequence[Image], images: Sequence[Image]) -> list[tuple[Image, Image]]:
    """Records whose id is present, unless it now stands for another content (ids of 8.3 come back)."""
    by_id = {image.id: image for image in images}
    pairs = ((record, by_id.get(record.id)) for record in records)
    return [(r, i) for r, i in pairs if i and content_matches(r, i) is not Verdict.DIFFERENT]


def _alike(record: Image, images: Sequence[Image]) -> list[Image]:
    return [image for image in images if record.name and content_matches(record, image) is Verdict.SAME]


def _restoring_changes(record: Image, image: Image, scope: Scope, ids: Mapping[str, str]) -> Changes:
    """What sets ``image`` back to ``record``; ``ids`` maps ids of the backup to present ones."""
    setting, removing = _restoring_properties(record, image, ids)
    basic = Changes(
        name=record.name if record.name and record.name != image.name else None,
        visibility=_restored_visibility(record, image, scope),
        set_properties=setting,
        remove_properties=removing,
    )
    if scope is Scope.BASIC:
        return basic
    return replace(
        basic,
        hidden=_if_new(record.hidden, image.hidden),
        protected=_if_new(record.protected, image.protected),
        min_disk=_if_new(record.min_disk, image.min_disk),
        min_ram=_if_new(record.min_ram, image.min_ram),
        tags=_if_new(record.tags, image.tags),
    )


def _if_new(wanted: _Value, present: _Value) -> _Value | None:
    return None if wanted == present else wanted


def _restored_visibility(record: Image, image: Image, scope: Scope) -> str | None:
    """Nine columns only know public or not: what is not public may stay as it is."""
    if scope is Scope.BASIC and record.is_public == image.is_public:
        return None
    return _if_new(record.visibility, image.visibility)


def _restoring_properties(
    record: Image, image: Image, ids: Mapping[str, str]
) -> tuple[dict[str, PropertyValue], frozenset[str]]:
    wanted = {k: v for k, v in record.properties.items() if _is_users(k) and v is not None}
    # A reference to an image that is gone would only break what works now.
    dangling = {key for key in REFERENCE_KEYS if str(wanted.get(key)) not in ids}
    resolved = {k: ids[str(v)] if k in REFERENCE_KEYS else v for k, v in wanted.items() if k not in dangling}
    setting: dict[str, PropertyValue] = {
        key: value for key, value in resolved.items() if not _same_value(image.properties.get(key), value)
    }
    removing = (
        key
        for key, value in image.properties.items()
        if _is_users(key) and key not in wanted and value is not None
    )
    return setting, frozenset(removing)


def _is_users(key: str) -> bool:
    """Whether a property is the user's to set, not the server's or ours."""
    return key not in BASE_ATTRIBUTES and not key.startswith(RESERVED_PREFIXES)


def _same_value(present: PropertyValue, wanted: PropertyValue) -> bool:
    """Servers keep text only, so a number of a backup equals its digits."""
    return present is not None and (present == wanted or str(present) == str(wanted))
