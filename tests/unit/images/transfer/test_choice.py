"""Which way an image takes (spec images 14.6)."""

import pytest

from app.sync.images.transfer.choice import (
    AUTO_ORDER,
    GLANCE_DIRECT,
    GLANCE_DOWNLOAD,
    LOCAL_FILE,
    RECORD,
    STREAM,
    WEB_DOWNLOAD,
    Offer,
    usable,
)

ALL = frozenset({GLANCE_DIRECT, GLANCE_DOWNLOAD, WEB_DOWNLOAD})


@pytest.mark.parametrize(
    ("offer", "wanted", "expected"),
    [
        (Offer(), ["auto"], (STREAM,)),
        (Offer(import_methods=ALL), ["auto"], (STREAM, GLANCE_DIRECT)),
        (Offer(import_methods=ALL, same_location=True), ["auto"], (GLANCE_DOWNLOAD, STREAM, GLANCE_DIRECT)),
        (Offer(import_methods=ALL, has_uri=True), ["auto"], (WEB_DOWNLOAD, STREAM, GLANCE_DIRECT)),
        (Offer(same_location=True), ["auto"], (STREAM,)),
        (Offer(local_file=True, import_methods=ALL, same_location=True, has_uri=True), ["auto"], AUTO_ORDER),
        (Offer(import_methods=ALL), [GLANCE_DIRECT, STREAM], (GLANCE_DIRECT, STREAM)),
        (Offer(), [GLANCE_DIRECT, STREAM], (STREAM,)),
        (Offer(), [GLANCE_DIRECT], ()),
        (Offer(local_file=False), [LOCAL_FILE, "auto"], (STREAM,)),
        (Offer(keeps_records_only=True, import_methods=ALL), [STREAM], (RECORD,)),
        (Offer(), ["pigeon"], ()),
    ],
    ids=[
        "plain server",
        "other federation",
        "same federation",
        "address configured",
        "method not offered",
        "everything",
        "order of the user",
        "falls back within the list",
        "nothing possible",
        "auto after a wish, no doubles",
        "backup files",
        "unknown word",
    ],
)
def test_usable_transports_in_order(offer, wanted, expected):
    """The ways that both ends allow, in the order asked for, each once."""
    assert usable(offer, wanted) == expected
