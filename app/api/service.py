"""``GET /``: what this service is (spec images 9.4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response
from flask.views import MethodView

from app.api.answers import json_answer
from app.api.blueprint import ApiBlueprint
from app.api.parts import current_parts
from app.api.schemas import ServiceSchema
from app.settings import ApiSettings

blueprint = ApiBlueprint("service", __name__, description="What this service is")


def version_document(api: ApiSettings, started: datetime) -> dict[str, Any]:
    """The original's members in its order, then ``versions``, without which keystoneauth finds no API."""
    version = f"v{api.version}"
    found = {
        "id": version,
        "status": api.status,
        "links": [{"rel": "self", "href": "/"}],
        "version": "",
        "min_version": "",
    }
    return {
        "id": version,
        "owner": api.owner,
        "status": api.status,
        "version": api.version,
        "updated": api.updated,
        "runningfrom": started.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "href": api.api_info_url,
        "versions": [found],
    }


@blueprint.route("/")
class Service(MethodView):
    """The service itself."""

    @blueprint.response(200, ServiceSchema)
    def get(self) -> Response:
        """What this service is. Needs no token."""
        parts = current_parts()
        return json_answer(version_document(parts.settings.api, parts.started))
