"""The door: every view that needs a caller says which action it is, and is only entered with leave.

The order of checks is the original's: route, method, token, region, handler (spec images 9.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, current_app, g, request

from app.auth.caller import Caller
from app.auth.policy import Policy, load_policy
from app.errors import AccessDeniedError
from app.settings import AuthSettings, AuthStrategy

_EXTENSION = "syncline_guard"
_View = TypeVar("_View", bound=Callable[..., Any])


class Identity(Protocol):
    """Finds out who asks."""

    @property
    def challenge(self) -> str | None:
        """The value of ``WWW-Authenticate`` on a 401."""

    def caller(self, environ: dict[str, Any]) -> Caller:
        """Who sends this request.

        Raises:
            TokenMissingError, TokenEmptyError, TokenRejectedError: there is no good token.
            AccessDeniedError: nobody is served there.
            UnreachableError: whoever knows cannot be asked.

        """


@dataclass(frozen=True, slots=True)
class Guard:
    """Who may do what here."""

    auth: AuthSettings
    identity: Identity
    policy: Policy

    def admit(self, action: str, environ: dict[str, Any]) -> Caller:
        """The caller, if they may do the action.

        Raises:
            SynclineError: see ``Identity.caller``.
            AccessDeniedError: the policy or the allowed projects and domains say no.

        """
        caller = self.identity.caller(environ)
        self.require(action, caller)
        return caller

    def require(self, action: str, caller: Caller) -> None:
        """See to it that a known caller may do the action.

        Raises:
            AccessDeniedError: the policy or the allowed projects and domains say no.

        """
        if not caller.roles:
            raise AccessDeniedError("User hasn't defined roles", remedy="use a token for a project")
        self._require_scope(caller)
        if not self.policy.allows(action, caller):
            roles = ", ".join(sorted(caller.roles))
            raise AccessDeniedError(f"{action} is not allowed with the roles {roles}")

    def foremost_role(self, caller: Caller) -> str:
        """The role to remember a caller by: the strongest of those that the settings name."""
        named = (self.auth.admin_role, self.auth.member_role, self.auth.reader_role)
        own = {role.lower(): role for role in sorted(caller.roles)}
        return next((own[role.lower()] for role in named if role.lower() in own), min(caller.roles))

    def _require_scope(self, caller: Caller) -> None:
        projects, domains = self.auth.allowed_projects, self.auth.allowed_domains
        if projects and caller.project_id not in projects:
            raise AccessDeniedError("tokens for this project are not allowed here")
        if domains and not caller.scope_domains & set(domains):
            raise AccessDeniedError("tokens for this domain are not allowed here")


def make_guard(auth: AuthSettings) -> Guard:
    """The guard that the settings ask for.

    Raises:
        ConfigurationError: the policy file is wrong.

    """
    return Guard(auth, _identity(auth), load_policy(auth))


def _identity(auth: AuthSettings) -> Identity:
    if auth.auth_strategy is AuthStrategy.NOAUTH:
        from app.auth.noauth import LoopbackIdentity

        return LoopbackIdentity(auth)
    from app.auth.keystone import KeystoneIdentity

    return KeystoneIdentity(auth)


def init_app(app: Flask, guard: Guard) -> None:
    """Put the guard at the application's doors."""
    app.extensions[_EXTENSION] = guard


def current_guard() -> Guard:
    """The guard of the running application (needs its context)."""
    return cast("Guard", current_app.extensions[_EXTENSION])


def current_caller() -> Caller:
    """Who sent the present request; only in a view that ``requires`` something."""
    return cast("Caller", g.caller)


def requires(action: str) -> Callable[[_View], _View]:
    """Let only those into a view whom the policy allows the action."""

    def decorate(view: _View) -> _View:
        @wraps(view)
        def guarded(*args: object, **kwargs: object) -> object:
            g.caller = current_guard().admit(action, request.environ)
            return view(*args, **kwargs)

        return cast("_View", guarded)

    return decorate
