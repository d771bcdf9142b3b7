"""What the demo's regions hold before the first run. Values only."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KIB = 1024
MIB = 1024 * KIB

MASTER = "Valladolid"
REGIONS = (MASTER, "Burgos", "Caceres", "federation2:Madrid")

BASE = {"type": "baseimage"}


@dataclass(frozen=True, slots=True)
class Sample:
    """One image to make.

    Attributes:
        seed: decides the content; images of equal seed and size have equal content.
        refers: property name -> name of an image made earlier in the same region.

    """

    name: str
    size_bytes: int
    seed: int
    visibility: str = "public"
    properties: Mapping[str, str] = field(default_factory=dict)
    refers: Mapping[str, str] = field(default_factory=dict)


FORCED = "site-licence-server"
CONFLICT = "ubuntu-24.04"

MASTER_IMAGES = (
    Sample("cloud-seed", 1 * KIB, 1, properties={"type": "config"}),
    Sample("ipxe", 20 * KIB, 2, properties=BASE | {"nid": "120"}),
    Sample("vmlinuz-6.1", 96 * KIB, 3, properties={"type": "kernel"}),
    Sample("initrd-6.1", 160 * KIB, 4, properties={"type": "ramdisk"}),
    Sample(
        "cirros-ami",
        512 * KIB,
        5,
        properties={"type": "ami"},
        refers={"kernel_id": "vmlinuz-6.1", "ramdisk_id": "initrd-6.1"},
    ),
    Sample("alpine-3.20", 1 * MIB, 6, properties=BASE | {"nid": "121"}),
    Sample("scratch", 1 * MIB, 7, visibility="private"),
    Sample(FORCED, 2 * MIB, 8, visibility="private", properties={"type": "appliance"}),
    Sample("centos-7_obsolete", 3 * MIB, 9, visibility="private", properties=BASE | {"nid": "90"}),
    Sample("freebsd-14", 4 * MIB, 10, properties=BASE | {"nid": "122"}),
    Sample("debian-12", 8 * MIB, 11, properties=BASE | {"nid": "123"}),
    Sample(CONFLICT, 16 * MIB, 12, properties=BASE | {"nid": "124"}),
    Sample("fedora-41", 32 * MIB, 13, properties={"type": "desktop", "nid": "125"}),
    Sample("gpu-toolbox", 64 * MIB, 14, properties={"type": "desktop", "nid": "126"}),
)

OTHER_IMAGES: Mapping[str, tuple[Sample, ...]] = {
    "Burgos": (
        Sample("centos-7", 3 * MIB, 9, properties=BASE | {"nid": "90"}),
        Sample("alpine-3.20", 1 * MIB, 6, properties=BASE | {"nid": "7"}),
    ),
    "Caceres": (
        Sample(CONFLICT, 12 * MIB, 99, properties=BASE | {"nid": "124"}),
        Sample("debian-12", 8 * MIB, 11, properties=BASE | {"nid": "123"}),
    ),
    "federation2:Madrid": (Sample("local-experiment", 50 * KIB, 50, visibility="private"),),
}


def pieces(sample: Sample, piece_bytes: int = MIB) -> Iterator[bytes]:
    """The content: pseudo-random, the same on every machine."""
    source = random.Random(sample.seed)  # noqa: S311
    left = sample.size_bytes
    while left:
        piece = source.randbytes(min(piece_bytes, left))
        left -= len(piece)
        yield piece


def configuration(forced_id: str) -> str:
    """The ``glancesync.conf`` of the demo."""
    return f"""\
# Written by make demo. All options: python run.py config sample
[main]
master_region = {MASTER}
max_children = 3

[DEFAULT]
tenant_id = demo

[master]
forcesyncs = {forced_id}

[federation2]
# This federation only wants base images.
metadata_condition = image.is_public and image.user_properties.get('type') == 'baseimage'
"""
