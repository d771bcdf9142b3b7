"""Region and image names that become file names, and the targets that full names belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.errors import UnknownRegionError, UsageError
from app.sync.images.conf.model import Settings

MASTER = "master"
REGION_NAME_BYTES = 200
_IMAGE_ID = re.compile(r"[A-Za-z0-9_$-][A-Za-z0-9._$-]{0,127}")


def check_region_name(name: str) -> None:
    """Refuse a full region name that is no plain file name; ``UsageError`` says why."""
    problem = ""
    if not name or name.startswith("."):
        problem = "empty or starting with a dot"
    elif "/" in name or ".." in name:
        problem = "a path"
    elif not name.isprintable():
        problem = "with control characters"
    elif len(name.encode("utf-8", "surrogatepass")) > REGION_NAME_BYTES:
        problem = f"longer than {REGION_NAME_BYTES} bytes"
    if problem:
        raise UsageError(
            f"region name {name!r} is refused: {problem}", remedy="use letters, digits, dashes and a colon"
        )


def is_region_name(name: str) -> bool:
    """Whether ``check_region_name`` lets the name pass."""
    try:
        check_region_name(name)
    except UsageError:
        return False
    return True


def is_image_id(text: str) -> bool:
    """Whether an image id may be part of a file name."""
    return _IMAGE_ID.fullmatch(text) is not None


def names_of_target(full_names: Iterable[str], target: str) -> list[str]:
    """Bare names of a target's regions, alphabetical (spec 8.3): master's have no colon."""
    split = (name.partition(":") if ":" in name else (MASTER, ":", name) for name in full_names)
    return sorted(bare for owner, _, bare in split if owner == target and bare)


def project_of(settings: Settings, target: str) -> str:
    """The project that owns what is created in a target; ``UnknownRegionError`` for an unknown target."""
    known = settings.targets.get(target)
    if known is None:
        raise UnknownRegionError(
            f"unknown target {target!r}",
            where=settings.source,
            remedy=f"known targets: {', '.join(sorted(settings.targets))}",
        )
    return known.project_hint
