"""The plan of one region: what differs from the master, and why (spec images 4, 6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.sync.images.model import Changes, Image
from app.sync.images.provenance import Disposal
from app.sync.status import Item, Notice


@dataclass(frozen=True, slots=True)
class Catalog:
    """Master images by name, ready for every target (spec 3.1).

    Reference properties hold image names. ``broken`` maps an image name to the reference keys whose
    id could not be resolved (PR3). ``deactivated`` are master images that are no source (14.8).
    """

    region: str
    images: Mapping[str, Image]
    broken: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deactivated: Mapping[str, Image] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One selected master image, its counterpart in the region and what has to happen.

    A counterpart that must not be written although ours takes its place (one of another project) is only
    named in ``item.destination_id``; ``destination`` then is ``None``, and nothing is cleared away.
    """

    item: Item
    source: Image
    destination: Image | None = None


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """A write on a destination image outside the selection rows (obsolete images, spec 6)."""

    image: Image
    changes: Changes
    label: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A replacement that a killed run published without clearing away the old image.

    ``old`` is None when that has been done and only the mark on the new one is left.
    """

    image: Image
    old: Image | None
    disposal: Disposal


@dataclass(frozen=True, slots=True)
class RegionPlan:
    """All that one region needs. ``images`` is in (size, name) order: the order of the report.

    ``local`` are the destination candidates by name (spec 4.1), the start of the table that
    reference names are translated with. ``partials`` are images of ours in the making, by whomever.
    ``taken_names`` are names that a retiring image must not get: those in the region, and the wanted ones.
    """

    region: str
    images: tuple[PlannedImage, ...]
    local: Mapping[str, Image] = field(default_factory=dict)
    obsolete: tuple[MetadataChange, ...] = ()
    partials: tuple[Image, ...] = ()
    unfinished: tuple[Unfinished, ...] = ()
    deactivate: tuple[Image, ...] = ()
    taken_names: frozenset[str] = frozenset()
    notices: tuple[Notice, ...] = ()
