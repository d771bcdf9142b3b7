"""What the tests of the job table share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db import Database
from app.jobs.lease import Leases
from app.jobs.queue import JobQueue
from app.schema import upgrade
from app.settings import JobSettings
from tests.functional.jobs.program import Bench, bench


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The database of one test."""
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def queue(database: Database) -> JobQueue:
    """A job table with the default settings."""
    return JobQueue(database, JobSettings())


@pytest.fixture
def leases(queue: JobQueue) -> Leases:
    """The holder's side of it."""
    return Leases(queue)


@pytest.fixture
def small_workshop(tmp_path: Path) -> Iterator[Bench]:
    """The same on SQLite alone, for what is about processes and not about the table."""
    url = f"sqlite:///{tmp_path / 'syncline.db'}"
    upgrade(url)
    with bench(tmp_path, url) as made:
        yield made


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    """A job table with workers to be started on it (embedded dispatcher)."""
    with bench(tmp_path, database_url) as made:
        yield made
