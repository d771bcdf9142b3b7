"""Backup of whole regions, and restoring metadata from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.errors import (
    ForbiddenError,
    StoreError,
    SynclineError,
    UnknownRegionError,
    UnreachableError,
    UsageError,
)
from app.sync.images.backups import (
    RestorePlan,
    Scope,
    apply_restore,
    backup_directory_name,
    backup_regions,
    load_backup,
    plan_restore,
)
from app.sync.images.model import Changes, Draft, Image, Snapshot
from app.sync.images.stores.backup import csv_path, json_path, read_backup
from app.sync.images.stores.base import ImageStore

from .conftest import CONTENT, Place

Drafts = Callable[..., Draft]


class Log:
    """What a backup or restore told, in order."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.errors: list[tuple[object, SynclineError]] = []

    def on_done(self, *told: object) -> None:
        self.done.append(told[0])

    def on_error(self, about: object, error: SynclineError) -> None:
        self.errors.append((about, error))

    @property
    def told(self) -> dict[str, Callable[..., None]]:
        return {"on_done": self.on_done, "on_error": self.on_error}


def publish(place: Place, draft: Drafts, name: str, region: str = "Burgos", **fields: object) -> Image:
    """A public image with content of its own."""
    store = place.store(region)
    image = store.create_image(draft(name, **fields))
    place.fill(store, image.id, CONTENT + name.encode())
    return store.update_image(image.id, Changes(name=name, visibility="public"))


def snapshot(store: ImageStore) -> Snapshot:
    """What the store lists now."""
    return Snapshot(store.region, store.project_id, tuple(store.list_images()))


def back_up(place: Place, directory: Path, *regions: str) -> Log:
    """Save regions and keep what is told meanwhile."""
    log = Log()
    stores = [(region, lambda region=region: place.store(region)) for region in regions or ("Burgos",)]
    backup_regions(stores, directory, **log.told)
    return log


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (
            datetime(2016, 3, 4, 5, 6, 7, 89, tzinfo=UTC).replace(tzinfo=None),
            "backup_glance_2016-03-04T05:06:07.000089",
        ),
        (datetime(2016, 3, 4, 5, 6, 7, tzinfo=UTC), "backup_glance_2016-03-04T05:06:07.000000"),
        (datetime(2016, 3, 4, tzinfo=UTC), "backup_glance_2016-03-04T00:00:00.000000"),
        (
            datetime(2016, 3, 4, tzinfo=timezone(timedelta(hours=5))),
            "backup_glance_2016-03-04T00:00:00.000000",
        ),
    ],
)
def test_directory_is_named_after_the_local_time(moment: datetime, name: str) -> None:
    """A backup's directory carries the time with microseconds and without zone."""
    assert backup_directory_name(moment) == name


def test_each_region_gets_both_files(place: Place, draft: Drafts, tmp_path: Path) -> None:
    """Every region is saved as nine columns and as JSON lines, and told when it is done."""
    place.add_region("Caceres")
    image = publish(place, draft, "debian")
    target = tmp_path / "new" / "saved"
    log = back_up(place, target, "Burgos", "Caceres")
    assert (log.done, log.errors) == (["Burgos", "Caceres"], [])
    assert sorted(path.name for path in target.iterdir()) == [
        "backup_Burgos.csv",
        "backup_Burgos.jsonl",
        "backup_Caceres.csv",
        "backup_Caceres.jsonl",
    ]
    assert load_backup(target, "Burgos").images == (image,)
    assert [saved.name for saved in read_backup(csv_path(target, "Burgos"), "Burgos")] == ["debian"]
    assert load_backup(target, "Caceres").images == ()


def test_failing_region_stops_no_other(place: Place, draft: Drafts, tmp_path: Path) -> None:
    """A region that cannot be opened or listed has no files, is reported, and the next one is saved."""
    place.add_region("Broken")
    publish(place, draft, "debian")
    if place.kind == "directory":
        (place.root / "Broken" / "x.json").write_text("no metadata")
    else:
        csv_path(place.root, "Broken").write_text("no,row\r\n")
    log = back_up(place, tmp_path / "saved", "Absent", "Broken", "../evil", "Burgos")
    assert [region for region, _ in log.errors] == ["Absent", "Broken", "../evil"]
    assert log.done == ["Burgos"]
    names = sorted(path.name for path in (tmp_path / "saved").iterdir())
    assert names == ["backup_Burgos.csv", "backup_Burgos.jsonl"]


def test_image_without_csv_form_is_reported(directory: Place, draft: Drafts, tmp_path: Path) -> None:
    """An image that nine columns cannot hold is told and left out there; JSON lines have it."""
    publish(directory, draft, "large", properties={"a": "x" * 200_000})
    small = publish(directory, draft, "small")
    log = back_up(directory, tmp_path / "saved")
    ((region, error),) = log.errors
    assert region == "Burgos"
    assert "characters" in str(error)
    assert log.done == ["Burgos"]
    assert [image.id for image in read_backup(csv_path(tmp_path / "saved", "Burgos"), "Burgos")] == [small.id]
    assert len(load_backup(tmp_path / "saved", "Burgos").images) == 2


def test_unusable_directory_is_an_error(place: Place, tmp_path: Path) -> None:
    """A backup that can be written nowhere fails at once, with the path."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="file"):
        back_up(place, tmp_path / "file" / "saved")


def test_nine_columns_serve_where_no_json_lies(place: Place, draft: Drafts, tmp_path: Path) -> None:
    """A backup of the original, without JSON lines, is loaded too, and known to tell less."""
    publish(place, draft, "debian")
    back_up(place, tmp_path / "saved")
    assert load_backup(tmp_path / "saved", "Burgos").scope is Scope.FULL
    json_path(tmp_path / "saved", "Burgos").unlink()
    loaded = load_backup(tmp_path / "saved", "Burgos")
    assert (loaded.scope, loaded.path.name) == (Scope.BASIC, "backup_Burgos.csv")
    with pytest.raises(UnknownRegionError, match="Lugo"):
        load_backup(tmp_path / "saved", "Lugo")
    with pytest.raises(UsageError):
        load_backup(tmp_path / "saved", "../saved/Burgos")


def test_restore_sets_metadata_back(place: Place, draft: Drafts, tmp_path: Path) -> None:
    """After a restore the images that still exist are as they were saved; a second one has nothing to do."""
    image = publish(place, draft, "debian", properties={"type": "baseimage", "nid": "7"})
    saved = tuple(place.store().list_images())
    back_up(place, tmp_path / "saved")
    changes = Changes(
        name="vandal",
        visibility="private",
        set_properties={"type": "x", "new": "y"},
        remove_properties=frozenset({"nid"}),
    )
    place.store().update_image(image.id, changes)
    backup = load_backup(tmp_path / "saved", "Burgos")
    plan = plan_restore(backup.images, snapshot(place.store()), backup.scope)
    assert list(place.store().list_images()) != list(saved), "planning alone writes nothing"
    log = Log()
    apply_restore(plan, place.store(), **log.told)
    assert ([done.id for done in log.done], log.errors) == ([image.id], [])
    assert tuple(place.store().list_images()) == saved
    assert plan_restore(backup.images, snapshot(place.store())) == RestorePlan("Burgos", ())


def test_full_restore_covers_every_attribute(directory: Place, draft: Drafts, tmp_path: Path) -> None:
    """JSON lines bring back minimums, tags, hidden and protected; nine columns leave them alone."""
    image = publish(directory, draft, "debian", min_disk=1, min_ram=2, tags=frozenset({"a"}))
    saved = directory.store().update_image(image.id, Changes(protected=True, hidden=True))
    back_up(directory, tmp_path / "saved")
    other = Changes(name="x", min_disk=0, min_ram=0, tags=frozenset(), protected=False, hidden=False)
    changed = directory.store().update_image(image.id, other)
    rows = read_backup(csv_path(tmp_path / "saved", "Burgos"), "Burgos")
    basic = plan_restore(rows, snapshot(directory.store()), Scope.BASIC)
    assert basic.updates == ((changed, Changes(name="debian")),)
    full = plan_restore(load_backup(tmp_path / "saved", "Burgos").images, snapshot(directory.store()))
    apply_restore(full, directory.store(), **Log().told)
    assert directory.store().get_image(image.id) == saved


def test_refused_image_stops_no_other(directory: Place, draft: Drafts) -> None:
    """An image that vanished between plan and restore is reported; the others are restored."""
    first, second = publish(directory, draft, "first"), publish(directory, draft, "second")
    present = snapshot(directory.store())
    records = [replace(first, name="one"), replace(second, name="two")]
    plan = plan_restore(records, present)
    directory.store().delete_image(first.id)
    log = Log()
    apply_restore(plan, directory.store(), **log.told)
    assert [(image.id, type(error).__name__) for image, error in log.errors] == [(first.id, "NotFoundError")]
    assert [image.name for image in directory.store().list_images()] == ["two"]


class Refusing:
    """A store that answers every update with one error."""

    def __init__(self, error: SynclineError) -> None:
        self.error = error
        self.calls = 0

    def update_image(self, image_id: str, changes: Changes) -> Image:
        self.calls += 1
        raise self.error


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ForbiddenError("policy"), 2), (UnreachableError("no route"), 1)],
    ids=["per-image", "whole-region"],
)
def test_region_that_fails_ends_its_restore(error: SynclineError, calls: int) -> None:
    """A refusal concerns one image; a region that cannot be reached ends the restore of that region."""
    updates = tuple((Image("Burgos", str(number), "x"), Changes(name="y")) for number in range(2))
    store, log = Refusing(error), Log()
    if calls == 1:
        with pytest.raises(UnreachableError):
            apply_restore(RestorePlan("Burgos", updates), store, **log.told)
    else:
        apply_restore(RestorePlan("Burgos", updates), store, **log.told)
        assert [told for _, told in log.errors] == [error, error]
    assert store.calls == calls


# planning


def made(image_id: str, name: str = "debian", **fields: object) -> Image:
    """An image of ours with one and the same content."""
    fields.setdefault("owner", "us")
    fields.setdefault("checksum", "c1")
    return Image("Burgos", image_id, name, **fields)


def planned(records: list[Image], present: list[Image], scope: Scope = Scope.FULL) -> RestorePlan:
    """The plan that sets ``present`` back to ``records``."""
    return plan_restore(records, Snapshot("Burgos", "us", tuple(present)), scope)


def test_image_is_found_by_name_and_content() -> None:
    """An image that was made anew is still found if its name and content are unique."""
    (update,) = planned([made("old", visibility="public")], [made("new")]).updates
    assert update == (made("new"), Changes(visibility="public"))


@pytest.mark.parametrize(
    ("records", "present", "missing", "ambiguous"),
    [
        ([made("a")], [], ["a"], []),
        ([made("a")], [made("b", checksum="c2")], ["a"], []),
        ([made("a", checksum=None)], [made("b", checksum=None)], ["a"], []),
        ([made("a")], [made("b", "other")], ["a"], []),
        ([made("a")], [made("a", checksum="c2")], ["a"], []),
        ([made("a", visibility="public")], [made("b"), made("c")], [], ["a"]),
        ([made("a", visibility="public"), made("b")], [made("c")], [], ["a", "b"]),
        ([made("a", owner="them")], [], [], []),
        ([made("a", visibility="public")], [made("a", owner="them")], ["a"], []),
        ([made("a", properties={"syncline_writer": "w", "syncline_name": "n"})], [], [], []),
    ],
    ids=[
        "gone",
        "other-content",
        "unknown-content",
        "other-name",
        "id-used-again",
        "two-present",
        "two-saved",
        "foreign-record",
        "foreign-present",
        "in-the-making",
    ],
)
def test_doubtful_images_are_reported_not_written(
    records: list[Image], present: list[Image], missing: list[str], ambiguous: list[str]
) -> None:
    """What is gone, or cannot be told apart, or is not ours, is never written."""
    plan = planned(records, present)
    assert plan.updates == ()
    assert [image.id for image in plan.missing] == missing
    assert [image.id for image in plan.ambiguous] == ambiguous


@pytest.mark.parametrize(
    ("saved", "present", "scope", "expected"),
    [
        ("public", "private", Scope.BASIC, "public"),
        ("private", "public", Scope.BASIC, "private"),
        ("private", "shared", Scope.BASIC, None),
        ("private", "shared", Scope.FULL, "private"),
        ("community", "shared", Scope.FULL, "community"),
        ("public", "public", Scope.FULL, None),
    ],
)
def test_visibility_is_restored_as_far_as_known(
    saved: str, present: str, scope: Scope, expected: str | None
) -> None:
    """Nine columns tell public from not public; what is not public then stays as it is."""
    plan = planned([made("a", visibility=saved)], [made("a", visibility=present)], scope)
    assert [changes.visibility for _, changes in plan.updates] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("saved", "present", "setting", "removing"),
    [
        ({"nid": 1}, {"nid": "1"}, {}, set()),
        ({"nid": 1}, {"nid": "2"}, {"nid": 1}, set()),
        ({"nid": None}, {}, {}, set()),
        ({}, {"new": "x"}, {}, {"new"}),
        ({"os_glance_x": "1", "syncline_finish": "d", "status": "s"}, {"os_hash_algo": "sha512"}, {}, set()),
    ],
    ids=["number-as-text", "other-value", "no-value", "surplus", "reserved"],
)
def test_properties_become_those_of_the_backup(
    saved: dict[str, object], present: dict[str, object], setting: dict[str, object], removing: set[str]
) -> None:
    """Properties of users are set and removed; those of the server and our own marks are not touched."""
    plan = planned([made("a", properties=saved)], [made("a", properties=present)])
    expected = Changes(set_properties=setting, remove_properties=frozenset(removing))
    assert [changes for _, changes in plan.updates] == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("saved", "present", "expected"),
    [
        ("kernel-1", "kernel-9", "kernel-1"),
        ("kernel-2", "kernel-9", "kernel-3"),
        ("kernel-0", "kernel-9", None),
        ("kernel-0", None, None),
    ],
    ids=["still-there", "made-anew", "gone", "gone-and-unset"],
)
def test_references_only_point_to_present_images(
    saved: str, present: str | None, expected: str | None
) -> None:
    """A kernel that was made anew is referred to by its new id; one that is gone changes nothing."""
    kernels = [made("kernel-1", "k1", checksum="k1"), made("kernel-3", "k2", checksum="k2")]
    properties = {"kernel_id": present} if present else {}
    records = [kernels[0], made("kernel-2", "k2", checksum="k2"), made("a", properties={"kernel_id": saved})]
    plan = planned(records, [*kernels, made("a", properties=properties)])
    assert [dict(changes.set_properties) for _, changes in plan.updates] == (
        [{"kernel_id": expected}] if expected else []
    )
    assert not any(changes.remove_properties for _, changes in plan.updates)
