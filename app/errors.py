"""The one exception hierarchy.

Two trees by who has to act: the person who asked (``ConfigurationError``,
``UsageError``) and the world out there (``RemoteError``, ``ContentError``,
``StoreError``). Every class carries what each interface needs to answer:
a stable code, the exit code of the command line (spec images 7.8), the HTTP
status of the API, and whether trying again can help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class SynclineError(Exception):
    """Something failed: what, where, and what to do about it.

    Args:
        what: one line that says what failed.
        where: region, file and line, or option; empty when it is obvious.
        remedy: what a person can do; empty when nothing but waiting helps.

    """

    code: ClassVar[str] = "internal_error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what = what
        self.where = where
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigurationError(SynclineError):
    """A settings file, option or environment variable is missing or wrong."""

    code = "configuration_error"


class CredentialError(ConfigurationError):
    """A credential is missing, undecodable or incomplete."""

    code = "credential_error"


class ConditionError(SynclineError):
    """A target's condition cannot be told for one image: its values are not what the condition expects.

    ``what`` is the cause in one line. The image is left alone (status ``error_condition``), others go on.
    """

    code = "condition_error"
    exit_code = 3
    http_status = 422


class UsageError(SynclineError):
    """The caller asked for something that cannot be asked for."""

    code = "usage_error"
    exit_code = 2
    http_status = 400


class UnknownRegionError(UsageError):
    """A region or target that no configuration and no catalogue knows."""

    code = "unknown_region"
    http_status = 404


class RemoteError(SynclineError):
    """A server answered with a failure, or did not answer."""

    code = "remote_error"
    http_status = 502


class UnreachableError(RemoteError):
    """No connection, or the connection broke."""

    code = "unreachable"
    http_status = 503
    retryable = True


class RemoteTimeoutError(RemoteError):
    """The server did not answer before the deadline."""

    code = "remote_timeout"
    http_status = 504
    retryable = True


class RemoteFaultError(RemoteError):
    """The server failed (5xx) or asked for patience (429, 503)."""

    code = "remote_fault"
    retryable = True

    def __init__(
        self, what: str, *, where: str = "", remedy: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


class AuthenticationError(RemoteError):
    """Keystone does not accept the credential (401)."""

    code = "authentication_failed"
    http_status = 502


class ForbiddenError(RemoteError):
    """The credential may not do this (403): policy, protection, reserved key."""

    code = "forbidden"


class NotFoundError(RemoteError):
    """The thing does not exist, or vanished meanwhile (404, 410)."""

    code = "not_found"
    http_status = 404


class ConflictError(RemoteError):
    """The thing is in a state that does not allow the call (409)."""

    code = "conflict"
    http_status = 409


class QuotaError(RemoteError):
    """The region takes no more data (413): stop uploads there, not metadata."""

    code = "quota_exceeded"
    http_status = 413


class BadAnswerError(RemoteError):
    """The server's answer breaks its own contract (not JSON, endless, wrong type)."""

    code = "bad_answer"


class ContentError(SynclineError):
    """Bytes arrived, but they are not the promised ones."""

    code = "content_error"
    http_status = 502


class ChecksumMismatchError(ContentError):
    """Size or hash of the copy differ from the source."""

    code = "checksum_mismatch"
    retryable = True


class TransferStalledError(ContentError):
    """No byte moved for too long."""

    code = "transfer_stalled"
    retryable = True


class StoreError(SynclineError):
    """A local store (directory, backup) cannot be read or written."""

    code = "store_error"


class StoreFullError(StoreError):
    """The disk or quota of a local store is exhausted."""

    code = "store_full"
    http_status = 507


class InvalidDataError(StoreError):
    """A file of a store or a backup does not hold what its format demands."""

    code = "invalid_data"
    http_status = 422


class CancelledError(SynclineError):
    """A person or a stop signal ended the work; what is done stays done."""

    code = "cancelled"
    exit_code = 3
    http_status = 409


class SourceError(ContentError):
    """The place that the bytes are read from failed; the destination is not at fault."""

    code = "source_failed"
    retryable = True


class DatabaseStateError(SynclineError):
    """The database's tables are not those that this version needs."""

    code = "database_state"
    http_status = 503


class LeaseLostError(SynclineError):
    """The job that does this work is no longer ours: another worker has it, or it was ended."""

    code = "lease_lost"
    http_status = 409


class BusyError(SynclineError):
    """What is asked for cannot be done while something else is there or under way."""

    code = "busy"
    exit_code = 3
    http_status = 409
    retryable = True


class IdempotencyError(UsageError):
    """An idempotency key came back with another request."""

    code = "idempotency_mismatch"
    http_status = 422


class TokenMissingError(UsageError):
    """The service was asked without a token."""

    code = "token_missing"
    http_status = 401


class TokenEmptyError(UsageError):
    """The service was asked with a token header that holds nothing."""

    code = "token_empty"
    http_status = 401


class TokenRejectedError(UsageError):
    """Keystone does not know the token: garbage, expired or revoked."""

    code = "token_rejected"
    http_status = 401


class AccessDeniedError(UsageError):
    """The caller is known, but no rule of the policy lets them do this."""

    code = "access_denied"
    http_status = 403


class InvalidRequestError(UsageError):
    """A request's body or query does not fit its description.

    Args:
        faults: what is wrong, each with the place: a JSON pointer into the body, or a parameter's name.

    """

    code = "invalid_request"
    http_status = 422

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        remedy: str = "",
        faults: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(what, where=where, remedy=remedy)
        self.faults = tuple(faults)


class OverloadedError(SynclineError):
    """This process serves as many long-lived requests as it may."""

    code = "overloaded"
    http_status = 503
    retryable = True
