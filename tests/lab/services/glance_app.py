"""Glance's WSGI application for gunicorn; ``OS_GLANCE_CONFIG_DIR`` names the folder of its configuration."""

import sys

sys.argv = ["glance-api"]

import patience  # noqa: E402

patience.die_with_parent()

from glance.wsgi.api import application  # noqa: E402

__all__ = ["application"]
