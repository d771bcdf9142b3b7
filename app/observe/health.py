"""``/healthz``: the process answers. ``/readyz``: it can do what it is there for, part by part."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from threading import Lock
from time import monotonic

import requests
from alembic.migration import MigrationContext
from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from app.db import Database
from app.jobs.lanes import served_lanes
from app.jobs.models import DEFAULT_LANE
from app.schema import newest_revisions
from app.settings import AuthStrategy, DispatcherKind, ServiceSettings

log = logging.getLogger(__name__)

PROBE_SECONDS = 2.0
"""What a server beside us is given to answer."""

PROBE_TTL_SECONDS = 5.0
"""How long such an answer is believed, so that many who ask do not become a load."""


class PartStatus(StrEnum):
    """How a part is; only ``failed`` makes the whole not ready."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    NOT_USED = "not used"


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the answer."""

    status: PartStatus
    detail: str


@dataclass(slots=True)
class _Remembered:
    """A look at another server, made at most every ``PROBE_TTL_SECONDS``."""

    look: Callable[[], Part]
    _lock: Lock = field(default_factory=Lock)
    _known: Part | None = None
    _looked_at: float = 0.0

    def __call__(self) -> Part:
        with self._lock:
            if self._known is None or monotonic() - self._looked_at > PROBE_TTL_SECONDS:
                self._known, self._looked_at = self.look(), monotonic()
            return self._known


def database_part(database: Database) -> Part:
    """Whether the database answers and holds the tables of this version."""
    try:
        with database.read() as session:
            context = MigrationContext.configure(session.connection())
            present = set(context.get_current_heads())
    except SQLAlchemyError as error:
        log.warning("the database does not answer: %s", type(error).__name__)
        return Part(PartStatus.FAILED, "does not answer")
    if present != newest_revisions():
        return Part(PartStatus.FAILED, "its tables are not those of this version: run.py db upgrade")
    return Part(PartStatus.OK, f"at revision {', '.join(sorted(present))}")


def workers_part(database: Database) -> Part:
    """Whether somebody does the work; ``default`` does that of lanes where nobody stands."""
    try:
        with database.read() as session:
            lanes = sorted(session.scalars(served_lanes()))
    except SQLAlchemyError:
        return Part(PartStatus.FAILED, "unknown, the database does not answer")
    if DEFAULT_LANE not in lanes:
        missing = f"no worker stands in lane {DEFAULT_LANE}"
        return Part(PartStatus.FAILED, f"{missing}, only in {', '.join(lanes)}" if lanes else missing)
    return Part(PartStatus.OK, f"workers in {', '.join(lanes)}")


def broker_part(settings: ServiceSettings) -> Part:
    """Whether the messages that wake workers can be sent."""
    if settings.jobs.dispatcher is not DispatcherKind.CELERY:
        return Part(PartStatus.NOT_USED, "workers are woken without a broker")
    # Celery is big; who does not use it does not load it.
    from kombu.connection import Connection
    from kombu.exceptions import OperationalError

    try:
        with Connection(  # type: ignore[no-untyped-call]
            settings.jobs.broker_url, connect_timeout=PROBE_SECONDS
        ) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=PROBE_SECONDS)
    except (OperationalError, OSError) as error:
        log.warning("the broker does not answer: %s", type(error).__name__)
        return Part(PartStatus.FAILED, "does not answer")
    return Part(PartStatus.OK, "answers")


def keystone_part(settings: ServiceSettings) -> Part:
    """Whether tokens can be checked. Known ones still are when Keystone is away."""
    if settings.auth.auth_strategy is not AuthStrategy.KEYSTONE:
        return Part(PartStatus.NOT_USED, "nobody is asked for a token")
    root = settings.auth.keystone_url.rstrip("/").removesuffix("/v3")
    try:
        answer = requests.get(
            f"{root}/v3", timeout=PROBE_SECONDS, verify=settings.auth.keystone_cacert or True
        )
    except OSError as error:
        log.warning("Keystone does not answer: %s", type(error).__name__)
        return Part(PartStatus.DEGRADED, "does not answer")
    if answer.status_code != HTTPStatus.OK:
        return Part(PartStatus.DEGRADED, f"answers {answer.status_code}")
    return Part(PartStatus.OK, "answers")


def overall(parts: dict[str, Part]) -> tuple[str, HTTPStatus]:
    """The word for the whole, and the status of the answer."""
    found = {part.status for part in parts.values()}
    if PartStatus.FAILED in found:
        return "not ready", HTTPStatus.SERVICE_UNAVAILABLE
    return ("degraded" if PartStatus.DEGRADED in found else "ready"), HTTPStatus.OK


def init_app(app: Flask, settings: ServiceSettings, database: Database) -> None:
    """Add ``/healthz`` and ``/readyz``; both are for everybody and need no token."""
    views = Blueprint("health", __name__)
    looks: dict[str, Callable[[], Part]] = {
        "database": lambda: database_part(database),
        "workers": lambda: workers_part(database),
        "broker": _Remembered(lambda: broker_part(settings)),
        "keystone": _Remembered(lambda: keystone_part(settings)),
    }

    @views.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @views.get("/readyz")
    def readyz() -> tuple[Response, HTTPStatus]:
        parts = {name: look() for name, look in looks.items()}
        word, status = overall(parts)
        body = {name: {"status": part.status, "detail": part.detail} for name, part in parts.items()}
        answer = jsonify(status=word, parts=body)
        answer.headers["Cache-Control"] = "no-store"
        return answer, status

    app.register_blueprint(views)
