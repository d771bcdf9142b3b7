"""The API describes itself: OpenAPI 3.1 at ``/openapi.json``, a page to try it out at ``/docs/api``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, Response, send_from_directory
from flask_smorest import Api

from app.api import events, regions, service, tasks
from app.api.parsing import QueryInteger
from app.api.schemas import ProblemSchema
from app.settings import AuthStrategy, ServiceSettings

ASSETS = Path(__file__).resolve().parent / "assets"
API_VERSION = "1"
TOKEN_SCHEME = "keystone"  # noqa: S105  # the name of the way to authenticate, not a secret

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing from elsewhere."""

pages = Blueprint("api_pages", __name__)


class DescribedApi(Api):  # type: ignore[misc]  # flask-smorest has no type hints
    """flask-smorest without its own form of errors."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """``app.api.problems`` answers all errors."""


@pages.get("/docs/api")
def page() -> Response:
    """The page to read the API and to try it out."""
    answer = send_from_directory(ASSETS, "page.html")
    answer.headers["Content-Security-Policy"] = PAGE_POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@pages.get("/docs/api/page.js")
def page_script() -> Response:
    """What starts the page."""
    return send_from_directory(ASSETS, "page.js")


@pages.get("/docs/api/swagger-ui/<name>")
def page_asset(name: str) -> Response:
    """A file of the vendored Swagger UI."""
    return send_from_directory(ASSETS / "swagger-ui", name, max_age=86400)


def _security(settings: ServiceSettings) -> dict[str, Any]:
    if settings.auth.auth_strategy is AuthStrategy.NOAUTH:
        return {}
    scheme = {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "A Keystone token."}
    return {"components": {"securitySchemes": {TOKEN_SCHEME: scheme}}, "security": [{TOKEN_SCHEME: []}]}


def init_app(app: Flask, settings: ServiceSettings) -> None:
    """Register all resources, their description, and the page."""
    app.config.update(
        API_TITLE="Syncline",
        API_VERSION=API_VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    options = {
        "marshmallow_plugin": MarshmallowPlugin(),
        "info": {"description": "Keeps the images of OpenStack regions in line with a master region."},
        **_security(settings),
    }
    api = DescribedApi(app, spec_kwargs=options)
    api.register_field(QueryInteger, "integer", None)
    for module in (service, regions, tasks, events):
        api.register_blueprint(module.blueprint)
    app.register_blueprint(pages)
