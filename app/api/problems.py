"""Errors as bodies: one that the original's clients, keystoneauth, openstacksdk and RFC 9457 clients read.

``error`` is the original's envelope (spec images 9.1); the members beside it are those of RFC 9457,
with ``code`` (docs/errors.md) and ``request_id``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from app.api.legacy import LegacyForm, legacy_form
from app.api.parts import current_parts
from app.api.region_bodies import rendered
from app.auth.guard import current_guard
from app.errors import InvalidRequestError, RemoteFaultError, SynclineError, UnreachableError

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5
MESSAGES: Mapping[int, str] = {
    400: "Bad request",
    401: "The request you have made requires authentication.",
    404: "Item not found: ",
    405: "Bad method",
    500: "Unhandled exception",
}
"""The original's words; other statuses have their usual phrase."""

_FRAMEWORK_CODES: Mapping[int, str] = {
    400: "usage_error",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    500: "internal_error",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for a body.

    Attributes:
        message: takes the place of the status's usual message, and of the description.
        faults: places in the request that are wrong.

    """

    status: int
    code: str
    text: str
    message: str | None = None
    faults: Sequence[Mapping[str, str]] = ()

    def body(self, instance: str, request_id: str) -> dict[str, Any]:
        """The members, the original's first."""
        phrase = HTTPStatus(self.status).phrase
        error: dict[str, Any] = {
            "message": self.message or MESSAGES.get(self.status, phrase),
            "code": self.status,
        }
        if self.status != HTTPStatus.INTERNAL_SERVER_ERROR and self.message is None:
            error["description"] = self.text
        if self.status == HTTPStatus.UNAUTHORIZED:
            error["title"] = phrase
        members = {
            "error": error,
            "type": f"urn:syncline:error:{self.code}",
            "title": phrase,
            "status": self.status,
            "detail": self.text,
            "instance": instance,
            "code": self.code,
            "request_id": request_id,
        }
        return {**members, "errors": list(self.faults)} if self.faults else members


_INTERNAL = Problem(500, "internal_error", "the service's log has the details under the request's id")


def of_error(error: SynclineError, legacy: LegacyForm | None = None) -> Problem:
    """The problem that one of our errors is."""
    faults = error.faults if isinstance(error, InvalidRequestError) else ()
    if legacy is not None:
        return Problem(legacy.status, error.code, str(error), legacy.message, faults)
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(500, error.code, _INTERNAL.text)
    return Problem(error.http_status, error.code, str(error), None, faults)


def of_exception(error: HTTPException) -> Problem:
    """The problem that one of the framework's exceptions is."""
    status = error.code or 500
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return _INTERNAL
    code = _FRAMEWORK_CODES.get(status, "usage_error")
    return Problem(status, code, error.description or HTTPStatus(status).phrase)


def answer(problem: Problem) -> Response:
    """The response; its type is ``application/problem+json`` only for those who name that."""
    body = rendered(problem.body(request.path, g.get("request_id", "")))
    accepted = {value.lower() for value, quality in request.accept_mimetypes if quality > 0}
    made = Response(
        body, problem.status, mimetype=PROBLEM_TYPE if PROBLEM_TYPE in accepted else "application/json"
    )
    made.headers["Cache-Control"] = "no-store"
    challenge = current_guard().identity.challenge
    if problem.status == HTTPStatus.UNAUTHORIZED and challenge:
        made.headers["WWW-Authenticate"] = challenge
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        made.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return made


def init_app(app: Flask) -> None:
    """Answer every error of the application in this form."""
    app.register_error_handler(HTTPException, _handle_exception)
    app.register_error_handler(SynclineError, _handle_error)
    app.register_error_handler(OperationalError, _handle_database)


def _handle_exception(error: HTTPException) -> Response:
    made = answer(of_exception(error))
    for name, value in error.get_headers(request.environ):
        if name.lower() in {"allow", "retry-after"}:
            made.headers[name] = value
    return made


def _handle_error(error: SynclineError) -> Response:
    legacy = None
    if current_parts().settings.api.legacy_status_codes:
        legacy = legacy_form(error, request.method)
    if error.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("%s %s: %s", request.method, request.path, error)
    made = answer(of_error(error, legacy))
    if isinstance(error, RemoteFaultError) and error.retry_after_seconds is not None:
        made.headers["Retry-After"] = str(int(error.retry_after_seconds) + 1)
    return made


def _handle_database(error: OperationalError) -> Response:
    log.error("%s %s: the database does not answer: %s", request.method, request.path, error.orig)
    return _handle_error(UnreachableError("the database does not answer", remedy="try again later"))
