"""Fixtures of the tests with real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.service.place import Service, service


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Service]:
    """A service on SQLite, with three small images in its master region."""
    with service(tmp_path / "place", f"sqlite:///{tmp_path / 'syncline.db'}") as made:
        for name in ("one", "two", "three"):
            made.add("Valladolid", name)
        yield made
