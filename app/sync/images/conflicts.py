"""What a target's conflict lists say about other content under a master's name (spec images 3.3, 4.3)."""

from __future__ import annotations

from app.sync.images.conf.model import Policy
from app.sync.images.model import Image
from app.sync.status import Status

ANY = "any"


def content_keys(image: Image) -> frozenset[str]:
    """The spellings under which a list may name the image's content: MD5 alone, or ``algo:hex`` (14.5)."""
    keys: set[str] = set()
    if image.checksum:
        keys |= {image.checksum, f"md5:{image.checksum}"}
    if image.hash_algo and image.hash_value:
        keys.add(f"{image.hash_algo}:{image.hash_value}")
    return frozenset(keys)


def conflict_status(destination: Image, policy: Policy) -> Status:
    """The rule for a destination image whose content is not the master's."""
    keys = content_keys(destination)
    if keys & policy.dontupdate:
        return Status.OK_STALLED_CHECKSUM
    if keys & policy.replace:
        return Status.PENDING_REPLACE
    if keys & policy.rename or ANY in policy.rename:
        return Status.PENDING_RENAME
    if ANY in policy.replace:
        return Status.PENDING_REPLACE
    return Status.ERROR_CHECKSUM


def in_both_lists(destination: Image, policy: Policy) -> bool:
    """Whether replace and rename both name the image's content, which is worth a warning (3.3)."""
    keys = content_keys(destination)
    return bool(keys & policy.replace and keys & policy.rename)
