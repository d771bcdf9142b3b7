"""The original's status codes, for clients that know no others (spec images 9.2, 9.3, 9.5). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import AccessDeniedError, SynclineError


@dataclass(frozen=True, slots=True)
class LegacyForm:
    """How the original tells an error.

    Attributes:
        message: stands in ``error.message``; None: the usual message of the status, and the text of
            the error as ``error.description``.

    """

    status: int
    message: str | None = None


_IN_DESCRIPTION = {"unknown_region": 400, "token_rejected": 404}
_IN_MESSAGE = frozenset({"token_empty", "unreachable"})


def legacy_form(error: SynclineError, method: str) -> LegacyForm | None:
    """The original's form of an error; None where it has none of its own."""
    if isinstance(error, AccessDeniedError):
        no_roles = error.what == "User hasn't defined roles"
        return LegacyForm(400, error.what if no_roles else "Role is not admin")
    if error.code == "busy":
        return LegacyForm(400, error.what if method == "DELETE" else None)
    if error.code in _IN_MESSAGE:
        return LegacyForm(400, error.what)
    if error.code in _IN_DESCRIPTION:
        return LegacyForm(_IN_DESCRIPTION[error.code])
    return None
