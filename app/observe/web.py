"""What the web application gets from this package, in one call."""

from __future__ import annotations

from flask import Flask

from app.db import Database
from app.observe import health, logs, metrics
from app.settings import ServiceSettings


def init_app(app: Flask, settings: ServiceSettings, database: Database) -> None:
    """Log fields, ``/healthz``, ``/readyz`` and ``/metrics``; after what gives requests their ids."""
    logs.init_app(app)
    health.init_app(app, settings, database)
    metrics.init_app(app, database)
