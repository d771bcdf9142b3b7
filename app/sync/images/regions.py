"""Which regions a command means: the grammar, expansion and order of region arguments (spec images 7.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from app.errors import UnknownRegionError
from app.sync.images.conf.model import Settings
from app.sync.images.model import RegionRef

MASTER = "master"

RegionNames = Callable[[str], list[str]]
"""Bare names of the regions of a target that hold images. Does the I/O, and may raise."""


@dataclass(frozen=True, slots=True)
class RegionArgument:
    """One region argument, as written. ``name`` is None where all regions of the target are meant."""

    text: str
    target: str
    name: str | None

    @property
    def is_expansion(self) -> bool:
        """Whether it stands for all regions of its target."""
        return self.name is None


def parse_argument(text: str) -> RegionArgument:
    """Read ``NAME``, ``TARGET:NAME`` or ``TARGET:``; any other use of colons is a name in target master."""
    if text.endswith(":"):
        return RegionArgument(text, text[:-1], None)
    target, colon, name = text.partition(":")
    if not colon or ":" in name:
        return RegionArgument(text, MASTER, text)
    return RegionArgument(text, target, name)


def resolve(arguments: Sequence[str], settings: Settings, region_names: RegionNames) -> list[RegionRef]:
    """List the regions that the arguments mean, each once, in the order in which they are worked on.

    No argument means all regions of target master. As soon as one target is expanded, the regions of
    ``preferable_order`` come first; a list of single regions keeps the order it was given in.

    Args:
        arguments: as typed, see ``parse_argument``.
        settings: targets, master region and preferable order.
        region_names: asked at most once per target, and only for targets that the arguments name.

    Raises:
        UnknownRegionError: a target is not configured or has no such region. Targets are looked at
            before anything is asked for.

    """
    parsed = [parse_argument(text) for text in arguments] or [RegionArgument("", MASTER, None)]
    known = _KnownRegions(settings, region_names)
    for argument in parsed:
        known.require_target(argument)
    regions = _unique(region for argument in parsed for region in known.meant_by(argument))
    if any(argument.is_expansion for argument in parsed):
        return _preferred_first(regions, settings.preferable_order)
    return regions


def show_regions(settings: Settings, region_names: RegionNames) -> list[str]:
    """Full names of all destinations: those of target master, then of every other target (spec 7.6)."""
    known = _KnownRegions(settings, region_names)
    others = (name for name in settings.targets if name != MASTER)
    regions = (region for target in (MASTER, *others) for region in known.expansion(target))
    return [region.full for region in _unique(regions)]


class _KnownRegions:
    """What the configuration and the catalogues know, asked for when needed and then remembered."""

    def __init__(self, settings: Settings, region_names: RegionNames) -> None:
        self._settings = settings
        self._region_names = region_names
        self._names: dict[str, list[str]] = {}

    def require_target(self, argument: RegionArgument) -> None:
        if argument.target not in self._settings.targets:
            known = ", ".join(sorted(self._settings.targets))
            raise UnknownRegionError(
                f"unknown target {argument.target!r}",
                where=f"region {argument.text!r}",
                remedy=f"the configured targets are: {known}",
            )

    def meant_by(self, argument: RegionArgument) -> list[RegionRef]:
        if argument.name is None:
            return self.expansion(argument.target)
        if argument.name not in self._names_of(argument.target):
            known = ", ".join(sorted(self._names_of(argument.target))) or "none"
            raise UnknownRegionError(
                f"unknown region {argument.name!r}",
                where=f"region {argument.text!r}",
                remedy=f"the regions of target {argument.target} are: {known}",
            )
        return [RegionRef(argument.target, argument.name)]

    def expansion(self, target: str) -> list[RegionRef]:
        left_out = set(self._settings.targets[target].ignore_regions)
        if target == MASTER:
            left_out.add(self._settings.master_region)
        return [RegionRef(target, name) for name in sorted(self._names_of(target)) if name not in left_out]

    def _names_of(self, target: str) -> list[str]:
        if target not in self._names:
            self._names[target] = self._region_names(target)
        return self._names[target]


def _unique(regions: Iterable[RegionRef]) -> list[RegionRef]:
    by_name: dict[str, RegionRef] = {}
    for region in regions:
        by_name.setdefault(region.full, region)
    return list(by_name.values())


def _preferred_first(regions: Sequence[RegionRef], order: Sequence[str]) -> list[RegionRef]:
    by_name = {region.full: region for region in regions}
    preferred = [by_name[name] for name in dict.fromkeys(order) if name in by_name]
    return preferred + [region for region in regions if region.full not in order]
