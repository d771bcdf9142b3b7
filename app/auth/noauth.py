"""No authentication: whoever sits at this machine may do everything, nobody else anything.

Loopback alone does not keep web pages out: a page in a local browser can send requests there too,
under a host name that its owner points at 127.0.0.1 or right across sites. Both are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.auth.caller import Caller
from app.errors import AccessDeniedError
from app.settings import AuthSettings, is_loopback

NOBODY = "noauth"
_OTHER_SITES = frozenset({"cross-site", "same-site"})


def host_name(header: str) -> str:
    """The name in a ``Host`` header, without port and brackets."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]


class LoopbackIdentity:
    """Takes everybody on this machine for somebody with all roles."""

    def __init__(self, auth: AuthSettings) -> None:
        roles = frozenset({auth.reader_role, auth.member_role, auth.admin_role})
        self._caller = Caller(user_id=NOBODY, user_name=NOBODY, roles=roles)

    @property
    def challenge(self) -> str | None:
        """Nobody is asked for a token."""
        return None

    def caller(self, environ: Mapping[str, Any]) -> Caller:
        """The one caller there is.

        Raises:
            AccessDeniedError: the request comes from elsewhere, or from a page of another site.

        """
        address = environ.get("REMOTE_ADDR") or ""
        if not is_loopback(address):
            raise AccessDeniedError(
                f"without authentication only this machine is served, not {address or '?'}"
            )
        host = environ.get("HTTP_HOST")
        if host is not None and not is_loopback(host_name(host)):
            raise AccessDeniedError("without authentication only requests to localhost are served")
        if environ.get("HTTP_SEC_FETCH_SITE") in _OTHER_SITES:
            raise AccessDeniedError("without authentication no requests of other sites are served")
        return self._caller
