"""Syncline: images, repositories, mirrors and hosts kept in line across regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.api.parts import Parts
    from app.settings import ServiceSettings


def create_app(settings: ServiceSettings, *, parts: Parts | None = None) -> Flask:
    """The web application: wires the parts together and does nothing else.

    Args:
        settings: what the service was told; see ``app.settings_reader.load_settings``.
        parts: the parts to use; made from the settings where left out.

    Raises:
        ConfigurationError: the settings, ``glancesync.conf`` or the policy file are wrong.

    """
    # Everything imports this package; only the web process needs Flask.
    from flask import Flask

    from app import schema
    from app.api import description, problems, requests
    from app.api import parts as api_parts
    from app.auth import guard
    from app.errors import ConfigurationError
    from app.observe import web as observe

    if faults := settings.faults():
        raise ConfigurationError("\n".join(faults), remedy="each line names one option to mend")
    parts = parts or api_parts.make_parts(settings)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    schema.init_app(app, parts.database)
    api_parts.init_app(app, parts)
    guard.init_app(app, parts.guard)
    requests.init_app(app, settings.api)
    observe.init_app(app, settings, parts.database)
    problems.init_app(app)
    description.init_app(app, settings)
    return app
