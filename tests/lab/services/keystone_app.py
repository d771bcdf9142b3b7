"""Keystone's WSGI application for gunicorn; ``OS_KEYSTONE_CONFIG_FILES`` names its configuration."""

import sys

sys.argv = ["keystone"]

import patience  # noqa: E402

patience.die_with_parent()

from keystone.wsgi.api import application  # noqa: E402

__all__ = ["application"]
