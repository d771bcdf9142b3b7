"""What the tests of the API share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from app.schema import upgrade
from tests.functional.api.site import Site, service_settings

MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(database_url: str, tmp_path: Path) -> Iterator[MakeSite]:
    """Makes services with options of the section ``[api]``, on SQLite and on PostgreSQL."""
    made: list[Site] = []

    def make(**api: object) -> Site:
        made.append(Site.open(service_settings(tmp_path, database_url, **api)))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A service with the default options, on SQLite and on PostgreSQL."""
    return make_site()


@pytest.fixture
def small_site(tmp_path: Path) -> Iterator[Site]:
    """The same on SQLite alone, for what is not about the database."""
    settings = service_settings(tmp_path, "")
    upgrade(settings.database_url)
    opened = Site.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def statements(small_site: Site) -> list[str]:
    """The statements that ``small_site`` sends to its database."""
    sent: list[str] = []
    engine = small_site.parts.database.engine
    event.listen(engine, "before_cursor_execute", lambda *call: sent.append(call[2]))
    return sent
