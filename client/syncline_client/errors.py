"""What can go wrong between a client and the service.

::

    SyncClientError
      EndpointError           no address, or no token: nothing was asked of the service
      UnreachableError        no connection, or it broke
      TimedOutError           no answer, or no end of the task, before the deadline
      AnswerError             the answer is not what the service's API promises
      StatusError             the service refused, or failed
        RequestError            400, 405, 413, 415, 422: what was asked for cannot be asked for
        UnauthenticatedError    401
        ForbiddenError          403
        NotFoundError           404: no such region or task
        ConflictError           409: the task is not in a state for this
        UnavailableError        429, 503: later perhaps
        ServerError             any other
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class SyncClientError(Exception):
    """Base of all errors of this client. Their text holds no token and no password."""


class EndpointError(SyncClientError):
    """The catalogue has no address of the service, or Keystone gave no token to go there with."""


class UnreachableError(SyncClientError):
    """There is no connection to the service (or to Keystone), or it broke."""


class TimedOutError(SyncClientError):
    """The time that the caller, or ``Limits``, allows is over."""


class AnswerError(SyncClientError):
    """An answer is too large, not JSON, or lacks what it has to hold."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer with an error status says.

    Attributes:
        status: the HTTP status.
        message: what is wrong, for a person.
        code: the service's stable word for it, e.g. ``unknown_region``; empty if the answer has none.
        request_id: what operators find the request by in the service's log; None if the answer has none.
        retry_after_seconds: when to try again, if the service said so.

    """

    status: int
    message: str
    code: str = ""
    request_id: str | None = None
    retry_after_seconds: float | None = None


class StatusError(SyncClientError):
    """The service answered with an error status."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        request = f", request {refusal.request_id}" if refusal.request_id else ""
        super().__init__(f"{refusal.message} (HTTP {refusal.status}{request})")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.refusal.status

    @property
    def message(self) -> str:
        """What is wrong, without status and request id."""
        return self.refusal.message

    @property
    def code(self) -> str:
        """The service's stable word for what is wrong; empty if it sent none."""
        return self.refusal.code

    @property
    def request_id(self) -> str | None:
        """What operators find the request by in the service's log."""
        return self.refusal.request_id

    @property
    def retry_after_seconds(self) -> float | None:
        """When to try again, if the service said so."""
        return self.refusal.retry_after_seconds


class RequestError(StatusError):
    """What was asked for cannot be asked for (400, 405, 413, 415, 422)."""


class UnauthenticatedError(StatusError):
    """The token is missing, wrong, expired or revoked (401)."""


class ForbiddenError(StatusError):
    """The token's roles, project or domain do not allow this (403)."""


class NotFoundError(StatusError):
    """There is no such region or task (404)."""


class ConflictError(StatusError):
    """The task is not in a state for this, e.g. it has ended already (409)."""


class UnavailableError(StatusError):
    """The service, or something that it needs, is away or busy for a while (429, 503)."""


class ServerError(StatusError):
    """The service failed, or answered with a status that its API does not know."""


_BY_STATUS: Mapping[int, type[StatusError]] = {
    400: RequestError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: RequestError,
    409: ConflictError,
    410: NotFoundError,
    413: RequestError,
    415: RequestError,
    422: RequestError,
    429: UnavailableError,
    503: UnavailableError,
}


def status_error(refusal: Refusal) -> StatusError:
    """The error for a refusal, of the class that its status calls for."""
    return _BY_STATUS.get(refusal.status, ServerError)(refusal)


def read_refusal(status: int, body: object, headers: Mapping[str, str]) -> Refusal:
    """What an error answer says, in whichever of its members it says it.

    Args:
        body: the decoded JSON; anything else than an object is taken for an answer that says nothing.

    """
    members = body if isinstance(body, Mapping) else {}
    envelope = members.get("error")
    inner = envelope if isinstance(envelope, Mapping) else {}
    candidates = (members.get("detail"), inner.get("description"), inner.get("message"), members.get("title"))
    message = next((text.strip() for text in candidates if isinstance(text, str) and text.strip()), "")
    code = members.get("code")
    return Refusal(
        status=status,
        message=message or "the service gave no reason",
        code=code if isinstance(code, str) else "",
        request_id=_text(headers.get("X-Openstack-Request-Id")) or _text(members.get("request_id")),
        retry_after_seconds=_seconds(headers.get("Retry-After")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(text: str | None) -> float | None:
    """Seconds of a ``Retry-After``; its other form, a date, is not used by the service."""
    return float(text) if text and text.isascii() and text.isdigit() else None
