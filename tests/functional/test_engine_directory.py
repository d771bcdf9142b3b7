"""The engine on directory regions: odd records, full disks, stops and dead ends; no server needed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from threading import Event

import pytest

from app.errors import StoreFullError
from app.sync.events import Event as RunEvent
from app.sync.events import ItemFinished, ItemStarted, RegionFinished, RegionStarted
from app.sync.images import conf
from app.sync.images.model import Changes, Draft
from app.sync.images.service import ImageService
from app.sync.images.stores.directory import DirectoryCloud
from app.sync.status import RegionState, Result, Status
from tests.functional.disks import small_disk

MIB = 1024 * 1024
REGIONS = ("Valladolid", "Burgos", "Caceres", "other:Madrid")


class Federation:
    """Directory regions with a configuration."""

    def __init__(self, root: Path, options: str = "", missing: tuple[str, ...] = ()) -> None:
        self.root = root / "regions"
        self.root.mkdir()
        self.conf = root / "glancesync.conf"
        self.events: list[RunEvent] = []
        self.stop = Event()
        self.configure(options)
        for name in REGIONS:
            if name in missing:
                continue
            self.cloud.create_region(name)

    def configure(self, options: str = "", main: str = "") -> None:
        """Options of the master target, and of [main]."""
        self.conf.write_text(
            f"[main]\nmaster_region = Valladolid\n{main}\n[master]\ntenant_id = p1\n{options}\n"
            "[other]\ntenant_id = p2\n",
            encoding="utf-8",
        )
        self.settings = conf.load(self.conf, (), {}, need_credentials=False)
        self.cloud = DirectoryCloud(self.root, self.settings)

    def service(self) -> ImageService:
        """A service that notes its events."""
        return ImageService(self.settings, self.cloud, listener=self.events.append, stop=self.stop)

    def store(self, region: str):
        """The store of a region."""
        return self.cloud.store(self.service().resolve([region])[0])

    def add(self, name: str, data: bytes, region: str = "Valladolid", **properties: str) -> str:
        """A public image."""
        store = self.store(region)
        created = store.create_image(Draft(name, name, properties, "raw", "bare"))
        store.write_data(created.id, iter([data] if data else []), len(data))
        store.update_image(created.id, Changes(name=name, visibility="public"))
        return created.id

    def names(self, region: str) -> list[str | None]:
        """Names of all images there, also of half-made ones."""
        return sorted(image.name or "" for image in self.store(region).list_images())

    def sync(self, *regions: str, **options: object):
        """Synchronise and return the reports."""
        service = self.service()
        return service.sync(service.resolve(list(regions)), **options)

    def edit(self, region: str, image_id: str, **fields: object) -> None:
        """Change an image's record behind the store's back."""
        path = self.root / region / f"{image_id}.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**record, **fields}), encoding="utf-8")


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    """Four empty regions."""
    return Federation(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "a,b",
        'say "hi"',
        "two\nlines",
        "é中😀",
        " blank ",
        "../../etc/passwd",
        "-rf",
        "x" * 255,
        "a:b",
        "%s%n",
    ],
)
def test_any_name_arrives_as_it_is(federation: Federation, name: str) -> None:
    """Commas, quotes, newlines, emoji and path tricks in a name are just a name."""
    federation.add(name, b"content")
    (report,) = federation.sync("Burgos")
    assert report.state is RegionState.OK
    assert federation.names("Burgos") == [name]
    inside = {path.resolve().parent for path in (federation.root / "Burgos").iterdir()}
    assert inside == {(federation.root / "Burgos").resolve()}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("name", []),
        ("owner", [("ok", Result.DONE)]),
        ("size", [("ok", Result.DONE)]),
        ("checksum", [("ok", Result.DONE)]),
    ],
)
def test_null_fields_of_a_master_image(federation: Federation, field: str, expected: list) -> None:
    """A null name is never selected, a null owner is ours; null size and checksum are unknown."""
    image_id = federation.add("deb", b"content")
    federation.edit("Valladolid", image_id, **{field: None})
    (report,) = federation.sync("Burgos")
    assert [(str(o.item.status), o.result) for o in report.outcomes] == expected


def test_image_without_any_hash_is_never_called_ok(federation: Federation) -> None:
    """What cannot be verified is not published, and says why."""
    image_id = federation.add("deb", b"content")
    federation.edit("Valladolid", image_id, checksum=None, hash_algo=None, hash_value=None)
    (report,) = federation.sync("Burgos")
    (outcome,) = report.outcomes
    assert (outcome.result, outcome.item.status) == (Result.FAILED, Status.PENDING_UPLOAD)
    assert "cannot be verified" in (outcome.item.error or "")
    assert federation.names("Burgos") == []


def test_two_images_of_one_name_on_the_master(federation: Federation) -> None:
    """Neither is copied, and one warning names them."""
    federation.add("deb", b"one")
    federation.add("deb", b"two")
    (report,) = federation.sync("Burgos")
    assert report.outcomes == ()
    assert [n.message for n in federation.service().catalog().notices] == [
        "Duplicated images with name deb will be ignored"
    ]


def test_empty_image_is_copied(federation: Federation) -> None:
    """Zero bytes are content like any other."""
    federation.add("empty", b"")
    (report,) = federation.sync("Burgos")
    assert report.counts == {"ok": 1}
    assert next(federation.store("Burgos").list_images()).hash_value == hashlib.sha512().hexdigest()


def test_full_disk_stops_uploads_but_not_metadata(tmp_path: Path) -> None:
    """On a full disk no half-made image stays, later uploads are left out, and properties still follow."""
    federation = Federation(tmp_path, "metadata_set =\nretries = 0", missing=("Burgos",))
    with small_disk(federation.root / "Burgos", 2 * MIB) as expected:
        federation.add("known", b"same", nid="2")
        federation.add("known", b"same", "Burgos", nid="1")
        federation.add("big", bytes(4 * MIB))
        federation.add("bigger", bytes(5 * MIB))
        (report,) = federation.sync("Burgos")
        results = {o.item.name: o.result for o in report.outcomes}
        # Without a real small disk the operating system does not say that the disk is full.
        last = Result.SKIPPED if expected is StoreFullError else Result.FAILED
        assert results == {"known": Result.DONE, "big": Result.FAILED, "bigger": last}
        assert federation.names("Burgos") == ["known"]
        assert next(federation.store("Burgos").list_images()).properties["nid"] == "2"
        kept = {path.suffix for path in (federation.root / "Burgos").iterdir() if path.is_file()}
        assert kept <= {".json", ".data", "", ".lock"}


def test_source_that_disappears_fails_its_image_only(federation: Federation) -> None:
    """Data that is gone from the master is told as the source's failure; the other image arrives."""
    doomed = federation.add("doomed", b"a" * 1000)
    federation.add("fine", b"b" * 2000)
    federation.configure("retries = 0")
    for path in (federation.root / "Valladolid").glob(f"{doomed}*"):
        if path.suffix != ".json":
            path.unlink()
    (report,) = federation.sync("Burgos")
    assert {o.item.name: o.result for o in report.outcomes} == {"doomed": Result.FAILED, "fine": Result.DONE}
    assert federation.names("Burgos") == ["fine"]


def test_damaged_source_is_never_copied(federation: Federation) -> None:
    """Bit rot on the master is found while the bytes flow."""
    image_id = federation.add("deb", b"a" * 1000)
    federation.configure("retries = 0")
    (data,) = [p for p in (federation.root / "Valladolid").glob(f"{image_id}*") if p.suffix != ".json"]
    data.write_bytes(b"a" * 999 + b"b")
    (report,) = federation.sync("Burgos")
    assert [o.result for o in report.outcomes] == [Result.FAILED]
    assert "sha512" in (report.outcomes[0].item.error or "")
    assert federation.names("Burgos") == []


def test_dependents_of_a_failed_kernel_are_left_out(federation: Federation) -> None:
    """An image whose kernel could not be brought is not uploaded with a dangling reference."""
    kernel = federation.add("kernel", b"k" * 1000)
    federation.add("machine", b"m" * 2000, kernel_id=kernel)
    federation.configure("retries = 0")
    for path in (federation.root / "Valladolid").glob(f"{kernel}*"):
        if path.suffix != ".json":
            path.unlink()
    (report,) = federation.sync("Burgos")
    results = {o.item.name: (o.result, o.item.error) for o in report.outcomes}
    assert results["machine"][0] is Result.SKIPPED
    assert "kernel" in (results["machine"][1] or "")
    assert federation.names("Burgos") == []


def test_stop_before_the_start_touches_nothing(federation: Federation) -> None:
    """A run that is stopped before a region begins reports it as cancelled."""
    federation.add("deb", b"content")
    federation.stop.set()
    reports = federation.sync("Burgos", "Caceres")
    assert [r.state for r in reports] == [RegionState.CANCELLED] * 2
    assert federation.names("Burgos") == []


def test_parallel_regions_do_not_disturb_each_other(federation: Federation) -> None:
    """All regions at once come to the same as one after the other."""
    for number in range(12):
        federation.add(f"image{number}", bytes([number]) * 70_000)
    federation.configure(main="max_children = 3")
    reports = federation.sync("Burgos", "Caceres", "other:Madrid", parallel=True)
    assert [r.counts for r in reports] == [{"ok": 12}] * 3
    assert federation.names("Burgos") == federation.names("other:Madrid") == federation.names("Valladolid")


def test_one_broken_region_stops_no_other(federation: Federation) -> None:
    """A region whose records are damaged fails with the file's name; the next one is done."""
    federation.add("deb", b"content")
    bad = federation.root / "Burgos" / "7f0b1c9a.json"
    bad.write_text("{", encoding="utf-8")
    reports = federation.sync("Burgos", "Caceres")
    assert [r.state for r in reports] == [RegionState.FAILED, RegionState.OK]
    assert bad.name in (reports[0].error or "")


def test_only_named_images_are_worked_on(federation: Federation) -> None:
    """A run over some names leaves all others as they are."""
    for name in ("a", "b", "c"):
        federation.add(name, name.encode())
    (report,) = federation.sync("Burgos", names=frozenset({"b"}))
    assert federation.names("Burgos") == ["b"]
    assert {o.item.name: o.result for o in report.outcomes} == {
        "a": Result.UNCHANGED,
        "b": Result.DONE,
        "c": Result.UNCHANGED,
    }


def test_a_run_tells_its_story_in_order(federation: Federation) -> None:
    """Start, each item begun and finished, end: nothing twice, nothing missing."""
    federation.add("a", b"1")
    federation.add("b", b"22")
    federation.sync("Burgos")
    kinds = [type(e) for e in federation.events if not isinstance(e, (RegionFinished, RegionStarted))]
    assert isinstance(federation.events[0], RegionStarted)
    assert isinstance(federation.events[-1], RegionFinished)
    assert kinds.count(ItemStarted) == kinds.count(ItemFinished) == 2
    finished = [e.outcome.item.name for e in federation.events if isinstance(e, ItemFinished)]
    assert finished == ["a", "b"]


def test_protected_predecessor_is_renamed_and_told(federation: Federation) -> None:
    """Without unprotect a protected image is not deleted; it steps aside, and the item says so."""
    federation.add("deb", b"new content")
    old = federation.add("deb", b"old", "Burgos")
    federation.edit("Burgos", old, protected=True)
    federation.configure("replace = any")
    (report,) = federation.sync("Burgos")
    assert "protected" in (report.outcomes[0].item.error or "")
    assert federation.names("Burgos") == ["deb", "deb.old"]
    (again,) = federation.sync("Burgos")
    assert again.counts == {"ok": 1}


def test_unprotect_lets_it_be_deleted(federation: Federation) -> None:
    """With unprotect the protected predecessor goes."""
    federation.add("deb", b"new content")
    old = federation.add("deb", b"old", "Burgos")
    federation.edit("Burgos", old, protected=True)
    federation.configure("replace = any\nunprotect = true")
    (report,) = federation.sync("Burgos")
    assert report.counts == {"ok": 1}
    assert federation.names("Burgos") == ["deb"]
