"""What happens to every request and answer: ids, limits, the ``Server`` header, one log line."""

from __future__ import annotations

import logging
import re
import sys
import uuid
from time import perf_counter

from flask import Flask, Response, g, request

from app.api.parsing import MAX_BODY_BYTES, too_large
from app.settings import ApiSettings

log = logging.getLogger(__name__)

REQUEST_ID = "X-Openstack-Request-Id"
_ID = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUNICORN = "gunicorn.http.wsgi"


def global_request_id(header: str | None) -> str | None:
    """The id that the caller's own request has; None where the header holds none."""
    return header if header is not None and _ID.fullmatch(header) else None


def init_app(app: Flask, api: ApiSettings) -> None:
    """Attach what every request and answer goes through."""
    # Of a body without a length the framework reads so much and drops the rest in silence; the one
    # byte too many is what shows it (app.api.parsing).
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES + 1
    header = _server_header(api.server_header)

    def finish(answer: Response) -> Response:
        answer.headers[REQUEST_ID] = g.get("request_id", "")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        if header is not None:
            answer.headers["Server"] = header
        _log(answer)
        return answer

    app.before_request(_begin)
    app.after_request(finish)


def _server_header(value: str) -> str | None:
    """The header for the application to add; None where the web server adds it.

    gunicorn writes a ``Server`` header of its own before the application's, so its text is set
    instead of adding a second one.
    """
    gunicorn = sys.modules.get(_GUNICORN)
    if gunicorn is None:
        return value
    setattr(gunicorn, "SERVER", value)  # noqa: B010  # an attribute that its module does not declare
    return None


def _begin() -> None:
    g.started = perf_counter()
    g.request_id = f"req-{uuid.uuid4()}"
    g.global_request_id = global_request_id(request.headers.get(REQUEST_ID))
    # A body that no view reads is refused as well.
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise too_large()


def _log(answer: Response) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    caller = g.get("caller")
    facts = {
        "request_id": g.get("request_id"),
        "global_request_id": g.get("global_request_id"),
        "user": caller.user_id if caller else None,
        "status": answer.status_code,
        "milliseconds": round((perf_counter() - g.get("started", perf_counter())) * 1000, 1),
    }
    # %r keeps control characters of a path out of the log.
    log.info("%s %r: %d", request.method, request.path, answer.status_code, extra=facts)
