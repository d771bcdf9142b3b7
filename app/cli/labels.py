"""Regions named as the user named them (spec images 7.3, 7.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.sync.images.model import RegionRef
from app.sync.images.regions import parse_argument


def labels(arguments: Sequence[str], regions: Iterable[RegionRef]) -> dict[str, str]:
    """Full region name -> text shown for it: as given, or the full name where it came by expansion."""
    shown = {region.full: region.full for region in regions}
    for argument in reversed(arguments):
        parsed = parse_argument(argument)
        full = RegionRef(parsed.target, parsed.name).full if parsed.name is not None else ""
        if full in shown:
            shown[full] = argument
    return shown
