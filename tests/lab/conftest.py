"""Fixtures of the tests that need the lab: ``lab``, ``cloud`` and ``proxy``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.lab.faults import FaultyProxy
from tests.lab.lab import Lab
from tests.lab.membership import membership
from tests.lab.places import LabError
from tests.lab.template import file_lock

ProxyFactory = Callable[[str], FaultyProxy]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With ``--dist loadgroup`` one worker runs all tests of the lab, since they share its regions."""
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.xdist_group("lab"))


@pytest.fixture(scope="session")
def lab_directory(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """One folder for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "lab"


@pytest.fixture(scope="session")
def lab(lab_directory: Path) -> Iterator[Lab]:
    """The running lab, one for the whole run. Its images are whatever the last test left."""
    with ExitStack() as stack:
        try:
            description = stack.enter_context(membership(lab_directory))
        except LabError as error:
            pytest.fail(str(error), pytrace=False)
        yield Lab(description)


@pytest.fixture
def cloud(lab: Lab, lab_directory: Path) -> Iterator[Lab]:
    """The lab with four empty regions, for this test alone."""
    with file_lock(lab_directory / "cloud.lock"):
        lab.reset()
        yield lab


@pytest.fixture
def proxy() -> Iterator[ProxyFactory]:
    """Makes a faulty proxy in front of an address."""
    with ExitStack() as stack:
        yield lambda upstream: stack.enter_context(FaultyProxy(upstream))
