"""Images as plain frozen records: what a store lists, what a plan compares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

PropertyValue = str | int | float | bool | None
"""Glance holds strings only; backup files of the original also hold numbers (spec 1.1)."""

NO_PROPERTIES: Mapping[str, PropertyValue] = MappingProxyType({})
KERNEL_ID = "kernel_id"
RAMDISK_ID = "ramdisk_id"
REFERENCE_KEYS = (KERNEL_ID, RAMDISK_ID)
OWNER_WIDTH = 32


@dataclass(frozen=True, slots=True)
class RegionRef:
    """A region of a target. ``full`` is the name used in all output (spec 1)."""

    target: str
    name: str

    @property
    def full(self) -> str:
        """``NAME`` for a region of target master, ``TARGET:NAME`` otherwise."""
        return self.name if self.target == "master" else f"{self.target}:{self.name}"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one region as its store lists it (spec 1.1, 14.1-14.5).

    ``None`` means unknown or unset; ``properties`` are the user's own, without base attributes.
    In a catalogue (spec 3.1) the reference properties hold image *names*, elsewhere ids.
    """

    region: str
    id: str
    name: str | None
    status: str = "active"
    size: int | None = None
    checksum: str | None = None
    owner: str | None = None
    visibility: str = "private"
    properties: Mapping[str, PropertyValue] = field(default_factory=lambda: NO_PROPERTIES)
    hash_algo: str | None = None
    hash_value: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = False
    hidden: bool = False
    tags: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    created_at: str | None = None
    raw: Mapping[str, object] | None = field(default=None, compare=False, repr=False)

    @property
    def is_public(self) -> bool:
        """The v1 attribute, derived from ``visibility``."""
        return self.visibility == "public"

    @property
    def user_properties(self) -> Mapping[str, PropertyValue]:
        """The name that conditions of users know (spec 2.6)."""
        return self.properties

    @property
    def is_active(self) -> bool:
        """Whether its content is complete and may be used."""
        return self.status == "active"

    @property
    def sort_key(self) -> tuple[int, str]:
        """(size, name), the order of reports and work (spec 4.2, PR7)."""
        return (self.size or 0, self.name or "")


def is_foreign(owner: str | None, project_id: str) -> bool:
    """Whether ``owner`` is somebody else (spec 1.1): nobody's images count as ours."""
    if not owner:
        return False
    return owner.rjust(OWNER_WIDTH, "0") != project_id.rjust(OWNER_WIDTH, "0")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All images of one region, in listing order, as one credential sees them."""

    region: str
    project_id: str
    images: tuple[Image, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """A new image before it has data.

    It is created private under ``temporary_name`` and gets ``name`` only when its content is
    verified. ``properties`` include provenance marks (see ``provenance``).
    """

    name: str
    temporary_name: str
    properties: Mapping[str, PropertyValue]
    disk_format: str | None = None
    container_format: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    hidden: bool = False
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Changes:
    """What one update writes. ``None`` leaves the attribute alone."""

    name: str | None = None
    visibility: str | None = None
    hidden: bool | None = None
    protected: bool | None = None
    min_disk: int | None = None
    min_ram: int | None = None
    tags: frozenset[str] | None = None
    set_properties: Mapping[str, PropertyValue] = field(default_factory=lambda: NO_PROPERTIES)
    remove_properties: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return self != Changes()
