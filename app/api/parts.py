"""What the views call: the parts of the service, wired once for each application."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import cast

from flask import Flask, current_app

from app.api.region_bodies import RegionBodies
from app.api.streams.delivery import Relays
from app.api.streams.feed import DatabaseFeed
from app.api.streams.hub import StreamHub
from app.auth.guard import Guard, make_guard
from app.db import Database
from app.jobs import region_tasks
from app.jobs.dispatch import make_dispatcher
from app.jobs.queue import JobQueue
from app.jobs.region_tasks import RegionTasks
from app.settings import ServiceSettings
from app.sync.images.clouds import needs_credentials, open_cloud
from app.sync.images.conf import load
from app.sync.images.region_list import RegionList

_EXTENSION = "syncline_parts"


@dataclass(frozen=True, slots=True)
class Parts:
    """The service behind the API.

    Attributes:
        bodies: rendered answers about regions.
        streams: live progress of tasks.
        relays: streams whose connection could not be taken over.
        started: when the process began.

    """

    settings: ServiceSettings
    database: Database
    tasks: RegionTasks
    regions: RegionList
    guard: Guard
    bodies: RegionBodies = field(default_factory=RegionBodies)
    streams: StreamHub = field(kw_only=True)
    relays: Relays = field(kw_only=True)
    started: datetime = field(default_factory=lambda: datetime.now().astimezone())


def make_parts(settings: ServiceSettings) -> Parts:
    """The parts that the settings ask for. Opens no connection yet.

    Raises:
        ConfigurationError: ``glancesync.conf`` or the policy file is wrong.

    """
    database = Database(settings.database_url)
    queue = JobQueue(database, settings.jobs, region_tasks.SETTLED)
    return Parts(
        settings,
        database,
        RegionTasks(database, queue, make_dispatcher(settings, database)),
        make_region_list(settings),
        make_guard(settings.auth),
        streams=StreamHub(DatabaseFeed(database)),
        relays=Relays.for_threads(settings.api.web_threads),
    )


def make_region_list(settings: ServiceSettings) -> RegionList:
    """The regions of the settings' cloud.

    Raises:
        ConfigurationError: ``glancesync.conf`` is wrong.

    """
    images = settings.images
    path = Path(images.config_file) if images.config_file else None
    engine = load(path, (), os.environ, need_credentials=needs_credentials(images.cloud))
    return RegionList(engine, lambda: open_cloud(images.cloud, engine))


def init_app(app: Flask, parts: Parts) -> None:
    """Give the application its parts."""
    app.extensions[_EXTENSION] = parts


def current_parts() -> Parts:
    """The parts of the running application (needs its context)."""
    return cast("Parts", current_app.extensions[_EXTENSION])
