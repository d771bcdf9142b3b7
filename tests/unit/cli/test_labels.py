"""Regions shown as the user named them."""

from __future__ import annotations

import pytest

from app.cli.labels import labels
from app.sync.images.model import RegionRef

BURGOS = RegionRef("master", "Burgos")
MADRID = RegionRef("other", "Madrid")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        pytest.param((), {"Burgos": "Burgos", "other:Madrid": "other:Madrid"}, id="none"),
        pytest.param(
            ("master:Burgos", "other:Madrid"),
            {"Burgos": "master:Burgos", "other:Madrid": "other:Madrid"},
            id="prefix-kept",
        ),
        pytest.param(
            ("Burgos", "master:Burgos"),
            {"Burgos": "Burgos", "other:Madrid": "other:Madrid"},
            id="first-counts",
        ),
        pytest.param(
            ("master:", "other:"), {"Burgos": "Burgos", "other:Madrid": "other:Madrid"}, id="expansion"
        ),
        pytest.param(("elsewhere",), {"Burgos": "Burgos", "other:Madrid": "other:Madrid"}, id="foreign"),
    ],
)
def test_labels_keep_the_words_of_the_user(arguments: tuple[str, ...], shown: dict[str, str]) -> None:
    """Headers and log files carry the region as given; expanded ones their full name."""
    assert labels(arguments, [BURGOS, MADRID]) == shown
