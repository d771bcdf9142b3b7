"""Which ways an image can take to a region, best first (spec images 14.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RECORD = "record"
LOCAL_FILE = "local-file"
GLANCE_DOWNLOAD = "glance-download"
WEB_DOWNLOAD = "web-download"
STREAM = "stream"
GLANCE_DIRECT = "glance-direct"

AUTO = "auto"
AUTO_ORDER = (LOCAL_FILE, GLANCE_DOWNLOAD, WEB_DOWNLOAD, STREAM, GLANCE_DIRECT)
CONFIGURABLE = (AUTO, *AUTO_ORDER)


@dataclass(frozen=True, slots=True)
class Offer:
    """What both ends can do for one image.

    Attributes:
        keeps_records_only: the destination has no data (backup files).
        local_file: the image's file is in ``images_dir``.
        same_location: both regions belong to one federation.
        import_methods: what the destination's Glance lists.
        has_uri: a ``web_download_uri`` is configured.

    """

    keeps_records_only: bool = False
    local_file: bool = False
    same_location: bool = False
    import_methods: frozenset[str] = frozenset()
    has_uri: bool = False


def usable(offer: Offer, wanted: Iterable[str]) -> tuple[str, ...]:
    """The transports to try in order.

    Args:
        wanted: the target's ``transport`` option; ``auto`` stands for every way in order of cost.

    """
    if offer.keeps_records_only:
        return (RECORD,)
    listed = list(wanted)
    names = [name for item in listed for name in (AUTO_ORDER if item == AUTO else (item,))]
    return tuple(name for name in dict.fromkeys(names) if _possible(name, offer))


def _possible(name: str, offer: Offer) -> bool:
    return {
        LOCAL_FILE: offer.local_file,
        GLANCE_DOWNLOAD: offer.same_location and GLANCE_DOWNLOAD in offer.import_methods,
        WEB_DOWNLOAD: offer.has_uri and WEB_DOWNLOAD in offer.import_methods,
        STREAM: True,
        GLANCE_DIRECT: GLANCE_DIRECT in offer.import_methods,
    }.get(name, False)
