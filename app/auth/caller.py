"""Who asks: what a token says about its owner, without the token."""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTES = frozenset(
    {"user_id", "user_name", "user_domain_id", "project_id", "project_domain_id", "domain_id", "system_scope"}
)
"""What a policy may compare; the fields of ``Caller`` that are single texts."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated caller.

    Attributes:
        roles: role names in the token's scope; empty for an unscoped token.
        project_id: the project the token is for; empty for other scopes.
        domain_id: the domain the token is for; empty for other scopes.
        system_scope: ``all`` for a system-scoped token, else empty.

    """

    user_id: str
    user_name: str
    roles: frozenset[str] = frozenset()
    user_domain_id: str = ""
    project_id: str = ""
    project_domain_id: str = ""
    domain_id: str = ""
    system_scope: str = ""

    @property
    def scope_domains(self) -> frozenset[str]:
        """The domains that the token's scope lies in."""
        return frozenset({self.project_domain_id, self.domain_id} - {""})
