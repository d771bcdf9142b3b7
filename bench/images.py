"""Figures of image synchronisation: one JSON line each. ``python -m bench.images [--only NAME ...]``.

Uses the lab (a real Keystone, four real Glance services; ``make venv-lab``). Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopEvent
from threading import Thread

from app.sync.events import Event, ItemFinished, ItemStarted, Listener
from app.sync.images import conf
from app.sync.images.catalog import build_catalog
from app.sync.images.clouds import open_cloud
from app.sync.images.conf.model import Policy
from app.sync.images.model import Image, RegionRef, Snapshot
from app.sync.images.planner import plan_region
from app.sync.images.service import ImageService
from app.sync.images.transfer.reading import resumed, verified
from app.sync.images.transfer.tee import Tee
from tests.lab.faults import FaultyProxy
from tests.lab.lab import Lab
from tests.lab.membership import membership

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[1]
STREAM = {"transport": "stream"}


def report(figure: str, **values: object) -> None:
    """One line for a machine to read."""
    print(json.dumps({"figure": figure, **values}), flush=True)


class Bench:
    """A lab and a folder for the duration of the measurements."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder

    def service(self, listener: Listener | None = None, **sections: dict[str, object]) -> ImageService:
        """An image service on the lab, as ``run.py`` would make it."""
        path = self.folder / "glancesync.conf"
        path.write_text(self.lab.conf(sections), encoding="utf-8")
        settings = conf.load(path, (), {})
        return ImageService(settings, open_cloud("openstack", settings), listener=listener)

    def upload(self, region: str, file: Path, name: str) -> float:
        """Seconds that a plain client needs to create an image and upload a file."""
        client = self.lab.client(region)
        started = time.perf_counter()
        record = client.create(name, None, visibility="private")
        with file.open("rb") as data:
            client.glance.images.upload(record["id"], data, image_size=file.stat().st_size)
        return time.perf_counter() - started


def random_file(folder: Path, size_bytes: int) -> Path:
    """A file of incompressible content."""
    path = folder / "content"
    with path.open("wb") as file:
        for _ in range(size_bytes // MIB):
            file.write(os.urandom(MIB))
    return path


def copy_ratio(bench: Bench, rounds: int = 5) -> None:
    """Copy of one 256 MB image by stream, divided by a plain upload of the same file to the same Glance.

    Both from the creation of the record to the end; ours with reading back, publishing and all hashes.
    """
    file = random_file(bench.folder, 256 * MIB)
    ratios, copies, uploads = [], [], []
    for _ in range(rounds + 1):
        bench.lab.reset()
        with file.open("rb") as data:
            bench.lab.client("Valladolid").create("big", data)
        uploads.append(bench.upload("Burgos", file, "plain"))
        moments: list[float] = []

        def clock(event: Event, moments: list[float] = moments) -> None:
            if isinstance(event, ItemStarted | ItemFinished):
                moments.append(time.perf_counter())

        service = bench.service(clock, master=STREAM)
        (outcome,) = service.sync(service.resolve(["Burgos"]))
        copies.append(moments[1] - moments[0])
        assert outcome.counts == {"ok": 1}, outcome
        ratios.append(copies[-1] / uploads[-1])
    report(
        "copy_over_upload",
        median=round(statistics.median(ratios[1:]), 3),
        all=[round(r, 3) for r in ratios[1:]],
        copy_seconds=round(statistics.median(copies[1:]), 3),
        upload_seconds=round(statistics.median(uploads[1:]), 3),
        must="<= 1.15",
    )


def fan_out(bench: Bench) -> None:
    """Bytes read from the master when one image goes to three regions at once."""
    bench.lab.reset()
    file = random_file(bench.folder, 256 * MIB)
    with file.open("rb") as data:
        bench.lab.client("Valladolid").create("big", data)
    with FaultyProxy(bench.lab.regions["Valladolid"].url) as proxy:
        service = bench.service(
            main={"max_children": 3},
            master={**STREAM, "endpoint_override.Valladolid": f"http://127.0.0.1:{proxy.port}"},
            federation2=STREAM,
        )
        wanted = service.resolve(["Burgos", "Caceres", "federation2:Madrid"])
        reports = service.sync(wanted, parallel=True)
        assert all(r.counts == {"ok": 1} for r in reports), reports
        read = proxy.response_bytes
    report("fan_out_master_bytes_ratio", value=round(read / (256 * MIB), 4), must="<= 1.05")


def peak_memory(bench: Bench) -> None:
    """Peak RSS of the command line copying a sparse image of 4 GB."""
    bench.lab.reset()
    bench.lab.client("Valladolid").create("huge", 4096 * MIB)
    path = bench.folder / "glancesync.conf"
    path.write_text(bench.lab.conf({"master": STREAM}), encoding="utf-8")
    command = [sys.executable, "run.py", "sync", "--config-file", str(path), "Burgos"]
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=600)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    report(
        "peak_rss_mib_4gb",
        value=round(peak / 1024, 1),
        seconds=round(time.perf_counter() - started, 1),
        must="<= 150",
    )
    bench.lab.reset()


def planning(_bench: Bench) -> None:
    """Plan of 10,000 images against 50 regions, and against half as many, in memory."""

    def region(name: str) -> Snapshot:
        images = tuple(
            Image(
                region=name,
                id=f"{name}-{n}",
                name=f"image{n:05}",
                size=n,
                checksum=hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest(),
                owner="p",
                visibility="public",
                properties={"nid": str(n), "type": "x"},
            )
            for n in range(10_000)
        )
        return Snapshot(name, "p", images)

    master = region("Valladolid")
    regions = [region(f"r{n}") for n in range(50)]
    policy = Policy(metadata_set=frozenset({"nid", "type"}))

    def seconds(count: int) -> float:
        started = time.perf_counter()
        catalog = build_catalog(master)
        for snapshot in regions[:count]:
            assert len(plan_region(catalog, snapshot, policy).images) == 10_000
        return time.perf_counter() - started

    half, whole = seconds(25), seconds(50)
    report(
        "plan_10000_images_50_regions_seconds",
        value=round(whole, 2),
        twice_the_regions_costs=round(whole / half, 2),
        must="<= 10, linear",
    )


def nothing_to_do(bench: Bench) -> None:
    """Calls to the Glance of a region of 1,000 images that lacks nothing."""
    bench.lab.reset()
    for name in ("Valladolid", "Burgos"):
        client = bench.lab.client(name)
        for number in range(1000):
            client.create(f"image{number:04}", b"x")
    with FaultyProxy(bench.lab.regions["Burgos"].url) as proxy:
        service = bench.service(
            master={**STREAM, "endpoint_override.Burgos": f"http://127.0.0.1:{proxy.port}"}
        )
        started = time.perf_counter()
        (outcome,) = service.sync(service.resolve(["Burgos"]))
        seconds = time.perf_counter() - started
        assert outcome.counts == {"ok": 1000}, outcome.counts
        calls = [(e.method, e.path) for e in proxy.seen()]
    report(
        "nothing_to_do_1000_images",
        calls=len(calls),
        writes=sum(1 for method, _ in calls if method != "GET"),
        other_reads=[path for method, path in calls if not path.startswith("/v2/images?")],
        seconds=round(seconds, 2),
        must="listing pages only, zero writes",
    )
    bench.lab.reset()


@contextmanager
def peer(size_bytes: int) -> Iterator[str]:
    """A bare HTTP peer in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.relay_peer", str(size_bytes)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def relay(bench: Bench, size_bytes: int = 1024 * MIB, rounds: int = 5) -> None:
    """One stream through our stores with sha512 on the way; both peers on loopback and not hashing."""
    digest = hashlib.sha512()
    for _ in range(size_bytes // MIB):
        digest.update(bytes(MIB))
    image = Image("Valladolid", "x", "x", size=size_bytes, hash_algo="sha512", hash_value=digest.hexdigest())
    with peer(size_bytes) as source_url, peer(size_bytes) as sink_url:
        service = bench.service(
            master={"endpoint_override.Valladolid": source_url, "endpoint_override.Burgos": sink_url}
        )
        source = service.cloud.store(RegionRef("master", "Valladolid"))
        sink = service.cloud.store(RegionRef("master", "Burgos"))
        rates = []
        for _ in range(rounds + 1):
            tee = Tee(StopEvent(), 60)
            branch = tee.branch("Burgos")
            started = time.perf_counter()
            pump = Thread(
                target=tee.pump,
                args=(
                    lambda: verified(
                        resumed(lambda at: source.read_data("x", at), size_bytes, 0, StopEvent()), image
                    ),
                ),
            )
            pump.start()
            sink.write_data("x", branch, size_bytes)
            pump.join()
            rates.append(size_bytes / 1e6 / (time.perf_counter() - started))
    report(
        "relay_sha512_mb_per_second",
        median=round(statistics.median(rates[1:])),
        all=[round(r) for r in rates[1:]],
        must=">= 350",
    )


def start(_bench: Bench, rounds: int = 10) -> None:
    """Start of the command line."""
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "run.py", "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=20
        )
        times.append(time.perf_counter() - started)
    report("cli_start_seconds", median=round(statistics.median(times[1:]), 3), must="<= 0.4")


FIGURES: dict[str, Callable[[Bench], None]] = {
    "copy": copy_ratio,
    "fan-out": fan_out,
    "memory": peak_memory,
    "plan": planning,
    "nothing": nothing_to_do,
    "relay": relay,
    "start": start,
}


def main() -> None:
    """Measure what is asked for, everything by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    wanted = parser.parse_args().only
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, membership(Path(folder)) as description:
        bench = Bench(Lab(description), Path(folder))
        for name in wanted:
            FIGURES[name](bench)


if __name__ == "__main__":
    main()
