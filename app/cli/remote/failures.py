"""Errors of the client as errors of the command line. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from syncline_client import (
    AnswerError,
    ConflictError,
    EndpointError,
    ForbiddenError,
    NotFoundError,
    RequestError,
    StatusError,
    SyncClientError,
    TimedOutError,
    UnauthenticatedError,
    UnavailableError,
    UnreachableError,
)

from app import errors
from app.errors import SynclineError

_BY_CODE: Mapping[str, type[SynclineError]] = {
    kind.code: kind for kind in (errors.UnknownRegionError, errors.BusyError, errors.IdempotencyError)
}
_BY_CLASS: Mapping[type[SyncClientError], tuple[type[SynclineError], str]] = {
    EndpointError: (errors.ConfigurationError, "check --endpoint, --os-cloud and the OS_* variables"),
    UnreachableError: (errors.UnreachableError, ""),
    TimedOutError: (errors.RemoteTimeoutError, ""),
    AnswerError: (errors.BadAnswerError, ""),
    RequestError: (errors.UsageError, ""),
    UnauthenticatedError: (errors.AuthenticationError, "log in with --os-cloud or the OS_* variables"),
    ForbiddenError: (errors.ForbiddenError, "ask for the role that the service demands"),
    NotFoundError: (errors.NotFoundError, ""),
    ConflictError: (errors.ConflictError, ""),
    UnavailableError: (errors.RemoteFaultError, "try again later"),
}


def house_error(error: SyncClientError) -> SynclineError:
    """The error with the exit code that this failure has everywhere on the command line."""
    if isinstance(error, StatusError) and error.code in _BY_CODE:
        return _BY_CODE[error.code](str(error))
    for kind, (ours, remedy) in _BY_CLASS.items():
        if isinstance(error, kind):
            return ours(str(error), remedy=remedy)
    return errors.RemoteError(str(error))
