"""Two services for all tests of a worker process: one that works, one where nothing is ever taken up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functional.client.service import Service, serving


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker process."""
    with serving(tmp_path_factory.mktemp("service"), worker=True) as running:
        yield running


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without worker: tasks stay as they were started."""
    with serving(tmp_path_factory.mktemp("idle"), worker=False) as running:
        yield running
