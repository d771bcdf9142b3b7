"""The engine against real Glance: every way of transfer, and every way in which it can go wrong."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import RemoteError
from app.sync.events import Event, ItemProgressed, Noticed
from app.sync.images import conf
from app.sync.images.clouds import open_cloud
from app.sync.images.provenance import PREFIX
from app.sync.images.service import ImageService
from app.sync.status import RegionState, Result, Status
from tests.lab.faults import Exchange, FaultyProxy
from tests.lab.files import file_server
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
MIB = 1024 * 1024
FAST = {"retries": 1, "connect_timeout": 2, "stall_timeout": 2}


def content(size_bytes: int, seed: str = "x") -> bytes:
    """Deterministic content without repetition at chunk size."""
    blocks = (hashlib.sha256(f"{seed}{n}".encode()).digest() for n in range(size_bytes // 32 + 1))
    return b"".join(blocks)[:size_bytes]


class World:
    """The lab with a configuration on it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.events: list[Event] = []
        self.stop = threading.Event()

    def conf_file(self, **sections: dict[str, object]) -> Path:
        """A glancesync.conf for the lab."""
        path = self.folder / "glancesync.conf"
        path.write_text(self.lab.conf(sections), encoding="utf-8")
        return path

    def service(self, **sections: dict[str, object]) -> ImageService:
        """An image service on the lab."""
        settings = conf.load(self.conf_file(**sections), (), {})
        cloud = open_cloud("openstack", settings)
        return ImageService(settings, cloud, listener=self.events.append, stop=self.stop)

    def sync(self, *regions: str, parallel: bool = False, **sections: dict[str, object]):
        """Synchronise; one report per region."""
        service = self.service(**sections)
        return service.sync(service.resolve(list(regions)), parallel=parallel)

    def messages(self) -> list[str]:
        """All lines for a person."""
        return [event.notice.message for event in self.events if isinstance(event, Noticed)]


@pytest.fixture
def world(cloud: Lab, tmp_path: Path) -> World:
    """An empty lab to work in."""
    return World(cloud, tmp_path)


@pytest.fixture
def burgos(world: World, proxy: Callable[[str], FaultyProxy]) -> FaultyProxy:
    """A proxy before Burgos; use it by ``through(burgos)``."""
    return proxy(world.lab.regions["Burgos"].url)


def through(front: FaultyProxy, region: str = "Burgos", **options: object) -> dict[str, object]:
    """Options of the master target that lead to a region by a proxy, by stream."""
    return {"transport": "stream", **FAST, f"endpoint_override.{region}": front.url, **options}


def assert_clean(world: World, region: str, name: str, data: bytes) -> None:
    """Exactly one image of the name, public and with the right content, and nothing half-made beside it."""
    client = world.lab.client(region)
    (record,) = client.images()
    assert (record["name"], record["status"], record["visibility"]) == (name, "active", "public")
    assert record["os_hash_value"] == hashlib.sha512(data).hexdigest()
    assert not [key for key in record if key.startswith(PREFIX)]


def header(exchange: Exchange, name: str) -> str:
    """A request's header, whatever its letters."""
    return {key.lower(): value for key, value in exchange.headers.items()}[name.lower()]


# -- transports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["stream", "glance-direct", "glance-download"])
def test_every_transport_brings_verified_content(world: World, transport: str) -> None:
    """Whatever way is chosen, the image is public, complete and carries the properties of the master's."""
    data = content(3 * MIB + 17)
    world.lab.client().create("deb", data, nid="7", hw_disk_bus="virtio")
    (report,) = world.sync("Burgos", master={"transport": transport})
    assert report.state is RegionState.OK
    assert [(o.transport, o.result) for o in report.outcomes] == [(transport, Result.DONE)]
    assert_clean(world, "Burgos", "deb", data)
    record = world.lab.client("Burgos").one("deb")
    assert (record["nid"], record["hw_disk_bus"]) == ("7", "virtio")


def test_web_download_fetches_from_the_configured_address(world: World, tmp_path: Path) -> None:
    """The destination's Glance fetches the file itself; no byte passes through us."""
    data = content(MIB)
    master = world.lab.client().create("deb", data)
    served = tmp_path / "served"
    served.mkdir()
    (served / master["id"]).write_bytes(data)
    with file_server(served) as address:
        (report,) = world.sync(
            "Burgos", master={"transport": "web-download", "web_download_uri": f"{address}/{{id}}"}
        )
    assert [(o.transport, o.sent_bytes) for o in report.outcomes] == [("web-download", 0)]
    assert_clean(world, "Burgos", "deb", data)


@pytest.mark.parametrize(
    ("stored", "expected"), [("right", "local-file"), ("damaged", "stream"), ("absent", "stream")]
)
def test_images_dir_is_used_only_if_its_file_is_the_masters(
    world: World, tmp_path: Path, stored: str, expected: str
) -> None:
    """A local file saves the download, but is hashed first; a wrong one is passed over."""
    data = content(MIB)
    master = world.lab.client().create("deb", data)
    images_dir = tmp_path / "images"
    images_dir.mkdir()
    if stored != "absent":
        (images_dir / master["id"]).write_bytes(data if stored == "right" else data[:-1] + b"?")
    (report,) = world.sync(
        "Burgos", main={"images_dir": images_dir}, master={"transport": "local-file, stream"}
    )
    assert [o.transport for o in report.outcomes] == [expected]
    assert_clean(world, "Burgos", "deb", data)


def test_auto_asks_the_destination_and_falls_back(world: World, burgos: FaultyProxy) -> None:
    """A server that offers an import and then refuses it does not keep the image from arriving."""
    data = content(MIB)
    world.lab.client().create("deb", data)
    burgos.on("POST", "/import$").respond(409)
    (report,) = world.sync("Burgos", master={**through(burgos), "transport": "auto"})
    assert [o.transport for o in report.outcomes] == ["stream"]
    assert_clean(world, "Burgos", "deb", data)


def test_forbidden_upload_goes_by_the_staging_area(world: World, burgos: FaultyProxy) -> None:
    """Where policy forbids PUT file, glance-direct takes over."""
    data = content(MIB)
    world.lab.client().create("deb", data)
    burgos.on("PUT", "/file$").respond(403)
    (report,) = world.sync("Burgos", master={**through(burgos), "transport": "stream, glance-direct"})
    assert [o.transport for o in report.outcomes] == ["glance-direct"]
    assert_clean(world, "Burgos", "deb", data)


def test_other_federation_gets_the_image_by_stream(world: World) -> None:
    """Between two Keystones the bytes pass through us."""
    data = content(MIB)
    world.lab.client().create("deb", data)
    (report,) = world.sync("federation2:Madrid")
    assert [o.transport for o in report.outcomes] == ["stream"]
    assert_clean(world, "federation2:Madrid", "deb", data)


@pytest.mark.parametrize("parallel", [True, False], ids=["at once", "one after the other"])
def test_bytes_leave_the_master_once(
    world: World, proxy: Callable[[str], FaultyProxy], parallel: bool
) -> None:
    """However many regions want an image, the master is read once (at most 1.05 times)."""
    data = content(8 * MIB)
    world.lab.client().create("deb", data)
    front = proxy(world.lab.regions["Valladolid"].url)
    reports = world.sync(
        "Burgos",
        "Caceres",
        "federation2:Madrid",
        parallel=parallel,
        main={"max_children": 3},
        master=through(front, "Valladolid"),
        federation2={"transport": "stream"},
    )
    assert [r.state for r in reports] == [RegionState.OK] * 3
    for region in ("Burgos", "Caceres", "federation2:Madrid"):
        assert_clean(world, region, "deb", data)
    assert front.response_bytes <= 1.05 * len(data)
    assert front.count("GET", "/file$") == 1


# -- faults ----------------------------------------------------------------------------------------


def test_nothing_is_visible_under_the_final_name_before_it_is_verified(
    world: World, burgos: FaultyProxy
) -> None:
    """In the middle of an upload even administrators see only a private partial image."""
    world.lab.client().create("deb", content(4 * MIB))
    seen: list[list[tuple[str, str]]] = []

    def look() -> None:
        seen.extend(
            [(i["name"], i["visibility"]) for i in world.lab.client("Burgos", account).images()]
            for account in ("other", "syncer")
        )

    burgos.on("PUT", "/file$").call(look, after_bytes=2 * MIB)
    world.sync("Burgos", master=through(burgos))
    assert len(seen) == 2
    for ((name, visibility),) in seen:
        assert name.startswith("syncline-partial-")
        assert visibility == "private"


def test_damaged_bytes_never_become_an_image(world: World, proxy: Callable[[str], FaultyProxy]) -> None:
    """A byte that turns over between master and us is noticed before the copy is complete."""
    data = content(3 * MIB)
    world.lab.client().create("deb", data)
    front = proxy(world.lab.regions["Valladolid"].url)
    front.on("GET", "/file$").corrupt("response", MIB)
    (report,) = world.sync("Burgos", master=through(front, "Valladolid"))
    (outcome,) = report.outcomes
    assert (outcome.result, outcome.item.status) == (Result.FAILED, Status.PENDING_UPLOAD)
    assert "sha512" in (outcome.item.error or "")
    assert world.lab.client("Burgos").images() == []


def test_bytes_damaged_behind_us_are_found_by_reading_back(world: World, burgos: FaultyProxy) -> None:
    """A byte that turns over on the way to the region shows in the region's own hash; the retry mends it."""
    data = content(3 * MIB)
    world.lab.client().create("deb", data)
    burgos.on("PUT", "/file$", times=1).corrupt("request", MIB)
    (report,) = world.sync("Burgos", master=through(burgos))
    assert [o.attempts for o in report.outcomes] == [2]
    assert_clean(world, "Burgos", "deb", data)


def test_replaced_image_stays_until_its_successor_is_verified(world: World, burgos: FaultyProxy) -> None:
    """When the new upload fails, the old image is there as before, public and under its name."""
    world.lab.client("Burgos").create("deb", b"old content")
    before = world.lab.client("Burgos").images()
    world.lab.client().create("deb", content(MIB))
    burgos.on("PUT", "/file$").respond(500)
    (report,) = world.sync("Burgos", master=through(burgos, replace="any"))
    assert [o.result for o in report.outcomes] == [Result.FAILED]
    assert world.lab.client("Burgos").images() == before


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/file$"), ("POST", "/v2/images$"), ("PATCH", "/v2/images/")]
)
@pytest.mark.parametrize("status", [500, 503])
def test_failure_in_the_middle_is_overcome(
    world: World, burgos: FaultyProxy, method: str, path: str, status: int
) -> None:
    """A server that fails once, at whatever call, costs a retry and nothing else."""
    data = content(MIB)
    world.lab.client().create("deb", data)
    burgos.on(method, path, times=1).respond(status, retry_after_seconds=1 if status == 503 else None)
    (report,) = world.sync("Burgos", master=through(burgos, retries=2))
    assert report.state is RegionState.OK, report
    assert_clean(world, "Burgos", "deb", data)


@pytest.mark.parametrize("side", ["request", "response"])
def test_broken_connection_is_resumed_or_repeated(
    world: World, proxy: Callable[[str], FaultyProxy], side: str
) -> None:
    """A download is picked up where it broke (Range); an upload is begun again."""
    data = content(6 * MIB)
    world.lab.client().create("deb", data)
    region, method = ("Valladolid", "GET") if side == "response" else ("Burgos", "PUT")
    front = proxy(world.lab.regions[region].url)
    front.on(method, "/file$", times=1).cut("response" if side == "response" else "request", 3 * MIB)
    (report,) = world.sync("Burgos", master=through(front, region))
    assert report.state is RegionState.OK, report
    assert_clean(world, "Burgos", "deb", data)
    if side == "response":
        assert header(front.seen("GET", "/file$")[1], "Range").startswith("bytes=")
        assert front.response_bytes < 1.3 * len(data)


def test_full_region_takes_metadata_but_no_more_uploads(world: World, burgos: FaultyProxy) -> None:
    """After 413 no further upload is tried in that region, while properties still follow."""
    for name in ("a", "b", "c"):
        world.lab.client().create(name, content(MIB, name))
    world.lab.client().create("known", b"same", nid="2")
    world.lab.client("Burgos").create("known", b"same", nid="1")
    burgos.on("PUT", "/file$").respond(413)
    (report,) = world.sync("Burgos", master=through(burgos, metadata_set=""))
    results = {o.item.name: o.result for o in report.outcomes}
    assert results == {"a": Result.FAILED, "b": Result.SKIPPED, "c": Result.SKIPPED, "known": Result.DONE}
    assert burgos.count("PUT", "/file$") == 1
    (left,) = world.lab.client("Burgos").images()
    assert (left["name"], left["nid"]) == ("known", "2")


def test_region_that_refuses_connections_stops_no_other(world: World, burgos: FaultyProxy) -> None:
    """One region down is a failed region; the others are brought in line."""
    data = content(MIB)
    world.lab.client().create("deb", data)
    burgos.refuse()
    reports = world.sync("Burgos", "Caceres", parallel=True, main={"max_children": 2}, master=through(burgos))
    assert [r.state for r in reports] == [RegionState.FAILED, RegionState.OK]
    assert "Burgos" in (reports[0].error or "")
    assert_clean(world, "Caceres", "deb", data)


def test_region_that_hangs_while_others_drink_from_the_same_stream(world: World, burgos: FaultyProxy) -> None:
    """A region that stops taking bytes is cut off; its neighbour finishes meanwhile."""
    data = content(12 * MIB)
    world.lab.client().create("deb", data)
    burgos.on("PUT", "/file$").stall("request", MIB)
    reports = world.sync(
        "Burgos",
        "Caceres",
        parallel=True,
        main={"max_children": 2},
        master=through(burgos, retries=0),
    )
    assert [r.state for r in reports] == [RegionState.FAILED, RegionState.OK]
    assert_clean(world, "Caceres", "deb", data)


def test_token_that_expires_during_an_upload_is_renewed(world: World, burgos: FaultyProxy) -> None:
    """All tokens of the run are revoked in the middle of a transfer; the run ends well all the same."""
    data = content(4 * MIB)
    world.lab.client().create("deb", data)
    used: list[str] = []

    def revoke() -> None:
        used.extend({header(e, "X-Auth-Token") for e in burgos.seen()})
        for token in used:
            world.lab.revoke(token)

    burgos.on("PUT", "/file$", times=1).call(revoke, after_bytes=2 * MIB)
    (report,) = world.sync("Burgos", master=through(burgos))
    assert used
    assert report.state is RegionState.OK, report
    assert_clean(world, "Burgos", "deb", data)


def test_image_deleted_while_it_is_copied(world: World, proxy: Callable[[str], FaultyProxy]) -> None:
    """A master image that vanishes mid-way fails alone and leaves nothing; the next image follows."""
    doomed = world.lab.client().create("a-doomed", content(4 * MIB))
    data = content(5 * MIB, "z")
    world.lab.client().create("z-lives", data)
    front = proxy(world.lab.regions["Valladolid"].url)

    def vanish() -> None:
        world.lab.client().delete(doomed["id"])

    front.on("GET", f"{doomed['id']}/file$", times=1).respond(500)
    front.on("GET", f"{doomed['id']}/file$").rewrite(lambda body: (vanish(), body[: len(body) // 2])[1])
    front.on("GET", f"{doomed['id']}/file$", skip=1).respond(404)
    (report,) = world.sync("Burgos", master=through(front, "Valladolid", retries=0))
    results = {o.item.name: o.result for o in report.outcomes}
    assert results == {"a-doomed": Result.FAILED, "z-lives": Result.DONE}
    assert_clean(world, "Burgos", "z-lives", data)


def test_stop_ends_the_transfer_and_cleans_up(world: World) -> None:
    """A person who stops a run finds no half-made image afterwards."""
    world.lab.client().create("deb", 64 * MIB)

    def stop_when_moving(event: Event) -> None:
        if isinstance(event, ItemProgressed):
            world.stop.set()

    settings = conf.load(world.conf_file(master={"transport": "stream"}), (), {})
    service = ImageService(
        settings, open_cloud("openstack", settings), listener=stop_when_moving, stop=world.stop
    )
    (report,) = service.sync(service.resolve(["Burgos"]))
    assert report.state is RegionState.CANCELLED
    assert [o.result for o in report.outcomes] == [Result.CANCELLED]
    assert world.lab.client("Burgos").images() == []


# -- kill -9 ---------------------------------------------------------------------------------------


@contextmanager
def running(world: World, *regions: str) -> Iterator[subprocess.Popen]:
    """``run.py sync`` in a process of its own."""
    command = [sys.executable, "run.py", "sync", "--config-file", str(world.folder / "glancesync.conf")]
    process = subprocess.Popen(
        [*command, *regions], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def wait_for(condition: Callable[[], bool], what: str, timeout_seconds: float = 30) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("method", "path", "skip"),
    [
        ("PUT", "/file$", 0),
        ("PATCH", "/v2/images/", 0),
        ("DELETE", "/v2/images/", 0),
        ("PATCH", "/v2/images/", 1),
    ],
    ids=["upload", "publish", "removal of the old", "last mark"],
)
def test_killed_run_is_finished_by_the_next(
    world: World, burgos: FaultyProxy, method: str, path: str, skip: int
) -> None:
    """Kill -9 at any point of a replacement leaves a usable image, and the next run puts all in order."""
    data = content(2 * MIB)
    world.lab.client().create("deb", data)
    world.lab.client("Burgos").create("deb", b"old content")
    world.conf_file(master=through(burgos, replace="any", stall_timeout=60, read_timeout=60))
    reached = threading.Event()
    hold = threading.Event()

    def halt() -> None:
        reached.set()
        hold.wait(30)

    if method == "PUT":
        burgos.on(method, path).stall("request", MIB)
    else:
        burgos.on(method, path, skip=skip, times=1).call(halt)
    with running(world, "Burgos") as process:
        if method == "PUT":
            wait_for(lambda: any(e.request_bytes >= MIB for e in burgos.seen("PUT")), "the upload")
        else:
            assert reached.wait(30), process.poll()
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    hold.set()
    burgos.clear()
    names = [(i["name"], i["visibility"]) for i in world.lab.client("Burgos").images()]
    assert ("deb", "public") in names
    (report,) = world.sync("Burgos", master=through(burgos, replace="any"))
    assert report.state is RegionState.OK, report
    assert_clean(world, "Burgos", "deb", data)


def test_verified_copy_of_a_killed_run_is_not_sent_again(world: World, burgos: FaultyProxy) -> None:
    """When only publishing was missing, the next run publishes and sends no byte."""
    data = content(2 * MIB)
    world.lab.client().create("deb", data)
    world.conf_file(master=through(burgos, read_timeout=60))
    burgos.on("PATCH", "/v2/images/").stall("request", 0)
    with running(world, "Burgos"):
        wait_for(lambda: burgos.count("PATCH") > 0, "publishing")
    burgos.clear()
    burgos.forget()
    (report,) = world.sync("Burgos", master=through(burgos))
    assert [(o.transport, o.sent_bytes) for o in report.outcomes] == [("adopted", 0)]
    assert burgos.count("PUT", "/file$") == 0
    assert_clean(world, "Burgos", "deb", data)


def test_image_that_another_living_run_copies_is_left_to_it(world: World, burgos: FaultyProxy) -> None:
    """Two runs at once do not copy the same image twice, nor remove each other's work."""
    data = content(2 * MIB)
    world.lab.client().create("deb", data)
    world.conf_file(master=through(burgos, stall_timeout=60))
    reached, release = threading.Event(), threading.Event()

    def hold() -> None:
        reached.set()
        release.wait(30)

    burgos.on("PUT", "/file$", times=1).call(hold, after_bytes=MIB)
    with running(world, "Burgos") as process:
        assert reached.wait(30)
        (report,) = world.sync("Burgos", master={"transport": "stream"})
        assert [o.result for o in report.outcomes] == [Result.SKIPPED]
        assert "another run" in (report.outcomes[0].item.error or "")
        release.set()
        output = process.communicate(timeout=30)[0]
    assert process.returncode == 0, output
    assert_clean(world, "Burgos", "deb", data)


# -- nothing to do ---------------------------------------------------------------------------------


def test_region_in_line_costs_listing_pages_only(world: World, burgos: FaultyProxy) -> None:
    """A second run reads the listing and writes nothing."""
    for number in range(30):
        world.lab.client().create(f"image{number:02}", f"content {number}".encode())
    world.sync("Burgos", master=through(burgos))
    burgos.forget()
    (report,) = world.sync("Burgos", master=through(burgos))
    assert report.counts == {"ok": 30}
    assert {e.method for e in burgos.seen()} == {"GET"}
    assert [e.path for e in burgos.seen() if not e.path.startswith("/v2/images?")] == []


def test_master_that_is_away_is_told_in_one_line(world: World, proxy: Callable[[str], FaultyProxy]) -> None:
    """Without the master's listing nothing is planned, and the error says who did not answer."""
    front = proxy(world.lab.regions["Valladolid"].url)
    front.refuse()
    service = world.service(master=through(front, "Valladolid"))
    with pytest.raises(RemoteError, match="Valladolid") as raised:
        service.sync(service.resolve(["Burgos"]))
    assert "\n" not in str(raised.value)
