"""How answers look: JSON with keys in order, validators, times, links."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from flask import Response, request

from app.api.region_bodies import rendered

JSON_TYPE = "application/json"


def utc(time: datetime | None) -> str | None:
    """A time in ISO 8601, in UTC, to the second."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_answer(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that may not be kept."""
    answer = Response(rendered(dict(body)), status, mimetype=JSON_TYPE, headers=headers)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def validated(body: bytes, tag: str) -> Response:
    """An answer that may be asked for again with ``If-None-Match``."""
    answer = Response(body, mimetype=JSON_TYPE)
    return _with_validator(answer, tag)


def unchanged(tag: str) -> Response | None:
    """A 304 if the client has what the tag stands for, else None."""
    if request.if_none_match.contains(tag):
        return _with_validator(Response(status=304), tag)
    return None


def conditional(body: Mapping[str, Any]) -> Response:
    """A whole body with a validator made of itself; 304 if the client has it."""
    text = rendered(dict(body))
    tag = hashlib.sha256(text).hexdigest()[:32]
    return unchanged(tag) or validated(text, tag)


def _with_validator(answer: Response, tag: str) -> Response:
    answer.set_etag(tag)
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Vary"] = "X-Auth-Token"
    return answer


def region_path(region: str) -> str:
    """The path of a region."""
    return f"/regions/{quote(region, safe=':')}"


def task_path(region: str, task_id: str) -> str:
    """The path of a task."""
    return f"{region_path(region)}/tasks/{task_id}"


def next_links(marker: object | None) -> list[dict[str, str]]:
    """The link to the next page of what was just asked for; none where there is no marker."""
    if marker is None:
        return []
    left_out = {"marker", "refresh"}
    query = [(key, value) for key, value in request.args.items(multi=True) if key not in left_out]
    path = quote(request.path, safe="/:")
    return [{"rel": "next", "href": f"{path}?{urlencode([*query, ('marker', str(marker))])}"}]
