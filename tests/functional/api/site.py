"""A service for tests: the real application over directories and a database of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.api.parts import Parts, current_parts
from app.settings import (
    ApiSettings,
    AuthSettings,
    AuthStrategy,
    ImageSettings,
    ServiceSettings,
    StoreSettings,
)
from app.sync import region_state, tasks
from app.sync.region_state import KnownItem
from app.sync.status import Item, Outcome, Result, Status
from app.sync.tasks import TaskStatus

REGIONS = ("Burgos", "Caceres", "Valladolid", "federation2:Madrid")
CONFIGURATION = """
[main]
master_region = Valladolid
[master]
tenant_id = ours
[federation2]
tenant_id = theirs
"""


def service_settings(home: Path, database_url: str, **api: Any) -> ServiceSettings:
    """Settings of a service without authentication over four empty regions; ``api`` sets its options."""
    for region in REGIONS:
        (home / "cloud" / region).mkdir(parents=True, exist_ok=True)
    (home / "glancesync.conf").write_text(CONFIGURATION)
    return ServiceSettings(
        service=StoreSettings(state_dir=home, database_url=database_url),
        api=ApiSettings(**api),
        auth=AuthSettings(auth_strategy=AuthStrategy.NOAUTH),
        images=ImageSettings(config_file=str(home / "glancesync.conf"), cloud=f"directory:{home / 'cloud'}"),
    )


def outcome(region: str, name: str, status: Status = Status.OK, error: str | None = None) -> Outcome:
    """What a task did to one image."""
    return Outcome(
        item=Item(region, name, status, size_bytes=10, error=error),
        before=Status.PENDING_UPLOAD,
        result=Result.FAILED if error else Result.DONE,
        sent_bytes=10,
        attempts=1,
        transport="stream",
    )


@dataclass(frozen=True)
class Site:
    """A running application, and what its workers would write."""

    settings: ServiceSettings
    app: Flask
    client: FlaskClient

    @classmethod
    def open(cls, settings: ServiceSettings) -> Site:
        """Make the application."""
        app = create_app(settings)
        return cls(settings, app, app.test_client())

    @property
    def parts(self) -> Parts:
        """What the application calls."""
        with self.app.app_context():
            return current_parts()

    def again(self, **api: Any) -> Site:
        """Another application over the same database, with other options."""
        return Site.open(dataclasses.replace(self.settings, api=ApiSettings(**api)))

    def close(self) -> None:
        """Let go of the database."""
        self.parts.database.dispose()

    def knows(self, region: str, *items: KnownItem) -> None:
        """A plan of the region has just been made."""
        with self.parts.database.write() as session:
            region_state.replace_items(session, region, list(items))

    def start(self, region: str = "Burgos", **body: Any) -> str:
        """Start a task over the API; returns its id."""
        answer = (
            self.client.post(f"/regions/{region}", json=body) if body else self.post(f"/regions/{region}")
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json["taskId"])

    def works(self, task_id: str, outcomes: Sequence[Outcome]) -> None:
        """A worker has done these."""
        with self.parts.database.write() as session:
            tasks.begin(session, task_id, 1)
            tasks.record_outcomes(session, task_id, enumerate(outcomes))

    def tells(self, task_id: str, *events: tuple[str, Mapping[str, Any]]) -> None:
        """A worker writes down what happened."""
        with self.parts.database.write() as session:
            tasks.tell(session, task_id, events)

    def ends(self, task_id: str, status: TaskStatus = TaskStatus.SYNCED, reason: str | None = None) -> None:
        """A worker has ended the task."""
        with self.parts.database.write() as session:
            assert tasks.end(session, task_id, status, reason, {"ok": 1})

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET with headers, given with underscores."""
        return self.client.get(path, headers={key.replace("_", "-"): value for key, value in headers.items()})

    def post(self, path: str, **headers: str) -> TestResponse:
        """POST without a body."""
        return self.client.post(
            path, headers={key.replace("_", "-"): value for key, value in headers.items()}
        )
