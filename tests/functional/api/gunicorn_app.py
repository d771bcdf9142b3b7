"""What gunicorn serves in tests: the application over the place that an environment variable names."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from app import create_app
from tests.functional.api.site import service_settings

HOME_VARIABLE = "API_TEST_HOME"


def make() -> Flask:
    """The application."""
    return create_app(service_settings(Path(os.environ[HOME_VARIABLE]), ""))
